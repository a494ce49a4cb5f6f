"""Shapes of tensors, and ops that give a tensor another shape."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from tfgraft.converters.orders import const_axes, drop_axes, held_axes, insert_axes, plain_axes
from tfgraft.converters.tensorrt.context import INTS, PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.emit import reduce, squeeze, unsqueeze
from tfgraft.converters.tensorrt.emit import reshape as emit_reshape
from tfgraft.converters.tensorrt.measure import same_sequence, values_of
from tfgraft.graph.view import NodeView, Shape
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_ANY = OpSpec(dtypes=PLAIN, known_ranks=(0,))
_MEASURED = OpSpec(dtypes=PLAIN, output_dtypes={0: INTS}, known_ranks=(0,))


def shape_of(ctx: TensorRtContext, view: NodeView, i: int) -> Any:
    """Return the shape of input `i` as an int64 vector, its dimensions in TensorFlow's order."""
    known = view.shape(i)
    if known is not None and all(d >= 0 for d in known):
        return ctx.const(np.array(known, np.int64))
    perm = ctx.perm_of(view, i)
    shape = ctx.add("shape", ctx.get(view, i, perm))
    if perm is None:
        return shape
    return ctx.add("gather", shape, ctx.const(np.array([perm.index(d) for d in range(len(perm))])), 0)


def _give(ctx: TensorRtContext, view: NodeView, port: int, value: Any) -> None:
    """Set an int64 value as an output, in the type that TensorFlow gives it."""
    ctx.set(view, port, ctx.cast(value, view.outputs[port].dtype))


def _check_ranks(view: NodeView) -> Support:
    for i in range(len(view.inputs)):
        if view.rank(i) is None:
            return Unsupported("unknown-rank", "ShapeN needs the ranks of its inputs.", f"input {i}")
    return SUPPORTED


@converter("Shape", "ShapeN", engine="tensorrt", spec=OpSpec(dtypes=PLAIN), check=_check_ranks)
def shape(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Shape, ShapeN -> shape, or a constant."""
    for i in range(len(view.inputs)):
        known = view.shape(i)
        if known is not None and all(d >= 0 for d in known):
            ctx.set(view, i, ctx.const(np.array(known), view.outputs[i].dtype))
        else:
            _give(ctx, view, i, shape_of(ctx, view, i))


@converter("Size", engine="tensorrt", spec=_MEASURED)
def size(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Size -> the product of the shape, or a constant."""
    known = view.shape(0) or ()
    if all(d >= 0 for d in known):
        ctx.set(view, 0, ctx.const(prod(known), view.outputs[0].dtype))
    else:
        _give(ctx, view, 0, reduce(ctx, "PROD", shape_of(ctx, view, 0), [0], keep=False))


@converter("Rank", engine="tensorrt", spec=_MEASURED)
def rank(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Rank -> a constant."""
    ctx.set(view, 0, ctx.const(view.known_rank(0), view.outputs[0].dtype))


def _check_reshape(view: NodeView) -> Support:
    if view.outputs[0].rank is None:
        return Unsupported(
            "unknown-rank", "Reshape needs to know how many dimensions its result has.", "input 1", "Give input_shapes."
        )
    return SUPPORTED


@converter(
    "Reshape",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, known_ranks=(0,)),
    check=_check_reshape,
    notes="A computed shape must be computed from shapes and integer inputs.",
)
def reshape(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Reshape -> shuffle, with fixed dimensions wherever what is known about the result allows them."""
    data, ordered = same_sequence(ctx, view, 0)
    known = view.outputs[0].shape or ()
    target = _target(view.shape(0) if ordered else (), known)
    if target is not None:
        ctx.set(view, 0, ctx.add("shuffle", data, reshape_dims=tuple(target), zero_is_placeholder=0 not in known))
        return
    wanted = values_of(ctx, view, 1, len(known))
    ctx.set(view, 0, emit_reshape(ctx, data, [d if d >= 0 else w for d, w in zip(known, wanted, strict=True)]))


def _target(source: Shape, known: tuple[int, ...]) -> list[int] | None:
    """Return fixed dimensions for a reshape to a shape with at most one that is unknown; None if there are more.

    Args:
        source: the input's shape where a dimension may be copied from it, by 0; else nothing.
        known: the result's shape.
    """
    target = [max(d, -1) for d in known]
    if 0 not in known:
        for k, (d, there) in enumerate(zip(known, source or (), strict=False)):
            if d < -1 and d == there:
                target[k] = 0
    if target.count(-1) > 1 or (0 in known and -1 in target):
        return None
    return target


def _check_squeeze(view: NodeView) -> Support:
    known = view.shape(0) or ()
    if not view.attr("squeeze_dims", ()) and any(d < 0 for d in known):
        return Unsupported(
            "unknown-dim", "Squeeze of all dimensions of size one needs every size.", "input 0", "Give input_shapes."
        )
    return SUPPORTED


@converter("Squeeze", engine="tensorrt", spec=_ANY, check=_check_squeeze)
def squeeze_(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Squeeze -> squeeze."""
    axes = plain_axes(view.attr("squeeze_dims", ()), view.rank(0))
    if not axes:
        axes = [k for k, d in enumerate(view.shape(0) or ()) if d == 1]
    perm = ctx.perm_of(view, 0)
    ctx.set(view, 0, squeeze(ctx, ctx.get(view, 0, perm), held_axes(axes, perm)), drop_axes(perm, axes))


@converter(
    "ExpandDims", engine="tensorrt", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, constants=(1,), known_ranks=(0,))
)
def expand_dims(ctx: TensorRtContext, view: NodeView) -> None:
    """TF ExpandDims -> unsqueeze."""
    perm = ctx.perm_of(view, 0)
    axes = plain_axes(view.known_const(1).reshape(-1).tolist(), view.known_rank(0) + 1)
    where, after = insert_axes(perm, axes)
    ctx.set(view, 0, unsqueeze(ctx, ctx.get(view, 0, perm), where), after)


@converter(
    "Transpose", engine="tensorrt", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, constants=(1,), known_ranks=(0,))
)
def transpose(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Transpose -> nothing: the result is the same tensor, held in another order, until somebody needs another."""
    order = const_axes(view, 1)
    perm = ctx.perm_of(view, 0)
    held = perm or tuple(range(len(order)))
    ctx.set(view, 0, ctx.get(view, 0, perm), tuple(order.index(d) for d in held))


@converter("IdentityN", engine="tensorrt", spec=OpSpec(dtypes=PLAIN))
def identity_n(ctx: TensorRtContext, view: NodeView) -> None:
    """TF IdentityN -> nothing."""
    for i in range(len(view.inputs)):
        _pass(ctx, view, i)


@converter(
    "EnsureShape",
    engine="tensorrt",
    spec=_ANY,
    notes="The shape is what shape inference says already; it is not checked again.",
)
def ensure_shape(ctx: TensorRtContext, view: NodeView) -> None:
    """TF EnsureShape -> nothing."""
    _pass(ctx, view, 0)


def _pass(ctx: TensorRtContext, view: NodeView, i: int) -> None:
    perm = ctx.perm_of(view, i)
    ctx.set(view, i, ctx.get(view, i, perm), perm)


CONVERTERS = (shape, size, rank, reshape, squeeze_, expand_dims, transpose, identity_n, ensure_shape)
