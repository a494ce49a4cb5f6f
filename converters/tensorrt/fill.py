"""Tensors made from shapes and bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgraft.converters.tensorrt.context import FLOATS, INTS, PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, dims_of, elements, floor_div, larger, minus
from tfgraft.converters.tensorrt.emit import binary, cut, reshape, unary
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def filled(ctx: TensorRtContext, dims: Sequence[Dim], value: Any) -> Any:
    """Emit a tensor of these dimensions that holds one value everywhere: a slice that never steps on.

    Args:
        value: an array or `ITensor` of one element.
    """
    ones = (1,) * len(dims)
    one = ctx.const(value.reshape(ones)) if isinstance(value, np.ndarray) else reshape(ctx, value, ones)
    still = [0] * len(dims)
    return cut(ctx, one, still, dims, still) if dims else one


@converter("ZerosLike", "OnesLike", engine="tensorrt", spec=OpSpec(dtypes=PLAIN, known_ranks=(0,)))
def zeros_like(ctx: TensorRtContext, view: NodeView) -> None:
    """TF ZerosLike, OnesLike -> a constant, spread over the input's shape."""
    perm = ctx.perm_of(view, 0)
    value = np.array(view.op == "OnesLike").astype(view.dtype())
    ctx.set(view, 0, filled(ctx, dims_of(ctx, ctx.get(view, 0, perm)), value), perm)


def _check_fill(view: NodeView) -> Support:
    if view.outputs[0].rank is None:
        return Unsupported("unknown-rank", "Fill needs the length of input 0.", "input 0", "Give input_shapes.")
    return SUPPORTED


@converter("Fill", engine="tensorrt", spec=OpSpec(dtypes=PLAIN, input_dtypes={0: INTS}), check=_check_fill)
def fill(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Fill -> the value, spread over the shape."""
    shape, value = view.outputs[0].shape or (), view.const(1)
    dims: list[Dim] = list(shape)
    if not view.outputs[0].is_static:
        given = elements(ctx, ctx.get(view, 0), len(shape))
        dims = [d if d >= 0 else given[k] for k, d in enumerate(shape)]
    ctx.set(view, 0, filled(ctx, dims, ctx.get(view, 1) if value is None else value))


@converter("Range", engine="tensorrt", spec=OpSpec(dtypes=INTS | {"float32"}))
def range_(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Range -> a constant, or fill LINSPACE over ceil((limit - start) / delta) elements."""
    known = [view.const(i) for i in range(3)]
    dtype = view.dtype()
    if all(value is not None for value in known):
        start, limit, delta = (np.asarray(value) for value in known)
        count = np.ceil((limit - start) / delta) if dtype in FLOATS else -((start - limit) // delta)
        ctx.set(view, 0, ctx.const(start + np.arange(int(count)).astype(dtype) * delta))
        return
    start, limit, delta = (reshape(ctx, ctx.get(view, i), (1,)) for i in range(3))
    if dtype in FLOATS:
        steps = binary(ctx, "DIV", binary(ctx, "SUB", limit, start), delta)
        count = ctx.cast(unary(ctx, "CEIL", steps), "int64")
    else:
        first, last, by = (ctx.cast(value, "int64") for value in (start, limit, delta))
        one = known[2] is not None and known[2] == 1
        count = minus(ctx, last, first) if one else minus(ctx, 0, floor_div(ctx, minus(ctx, first, last), by))
    ctx.set(view, 0, _ramp(ctx, count, start, delta, dtype))


@converter("LinSpace", engine="tensorrt", spec=OpSpec(dtypes=frozenset({"float32"}), input_dtypes={2: INTS}))
def linspace(ctx: TensorRtContext, view: NodeView) -> None:
    """TF LinSpace -> a constant, or fill LINSPACE from start by (stop - start) / (num - 1)."""
    known = [view.const(i) for i in range(3)]
    if all(value is not None for value in known):
        start, stop, num = (np.asarray(value).item() for value in known)
        ctx.set(view, 0, ctx.const(np.linspace(start, stop, num, dtype=np.float32)))
        return
    first, last, number = (reshape(ctx, ctx.get(view, i), (1,)) for i in range(3))
    count = ctx.cast(number, "int64")
    gaps = larger(ctx, minus(ctx, count, 1), 1)
    step = binary(ctx, "DIV", binary(ctx, "SUB", last, first), ctx.cast(gaps, "float32"))
    ctx.set(view, 0, _ramp(ctx, count, first, step, "float32"))


def _ramp(ctx: TensorRtContext, count: Dim, start: Any, step: Any, dtype: str) -> Any:
    """Emit `count` numbers from `start` on, `step` apart; both are tensors of shape [1]."""
    operation = ctx.trt.FillOperation.LINSPACE
    start = reshape(ctx, start, ())
    return ctx.add("fill", (1,), operation, ctx.type(dtype), inputs={0: count, 1: start, 2: step})


CONVERTERS = (zeros_like, fill, range_, linspace)
