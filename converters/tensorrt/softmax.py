"""Softmax and its logarithm."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.orders import held_axis
from tfgraft.converters.tensorrt.context import FLOATS, TensorRtContext
from tfgraft.converters.tensorrt.emit import binary, reduce, squeeze, unary, unsqueeze
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_SPEC = OpSpec(dtypes=FLOATS, known_ranks=(0,))


def add_softmax(ctx: TensorRtContext, x: Any, axis: int) -> Any:
    """Add a softmax over one axis (not negative) of a tensor of any rank above 0."""
    if len(x.shape) > 1:
        return ctx.add("softmax", x, axes=1 << axis)
    return squeeze(ctx, ctx.add("softmax", unsqueeze(ctx, x, [0]), axes=2), [0])  # it takes no vectors


@converter("Softmax", engine="tensorrt", spec=_SPEC)
def softmax(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Softmax (over the last dimension) -> softmax."""
    perm = ctx.perm_of(view, 0)
    axis = held_axis(-1, view.known_rank(), perm)
    ctx.set(view, 0, add_softmax(ctx, ctx.get(view, 0, perm), axis), perm)


@converter("LogSoftmax", engine="tensorrt", spec=_SPEC)
def log_softmax(ctx: TensorRtContext, view: NodeView) -> None:
    """TF LogSoftmax -> x less its maximum, less the logarithm of the sum of its exponentials, in float32."""
    perm = ctx.perm_of(view, 0)
    axis = held_axis(-1, view.known_rank(), perm)
    x = ctx.cast(ctx.get(view, 0, perm), "float32")
    x = binary(ctx, "SUB", x, reduce(ctx, "MAX", x, [axis], True))
    total = unary(ctx, "LOG", reduce(ctx, "SUM", unary(ctx, "EXP", x), [axis], True))
    ctx.set(view, 0, ctx.cast(binary(ctx, "SUB", x, total), view.dtype()), perm)


CONVERTERS = (softmax, log_softmax)
