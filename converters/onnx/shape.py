"""Shapes of tensors, and ops that give a tensor another shape."""

from __future__ import annotations

from math import prod

import numpy as np

from tfgraft.converters.onnx.axes import int64, same_sequence
from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import UNIT, const_axes, insert_axes, leave_axes, plain_axes, take_unit
from tfgraft.graph.dtypes import INTS, PLAIN
from tfgraft.graph.view import NodeView, Shape
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_SECOND_INT = OpSpec(dtypes=PLAIN, input_dtypes={1: INTS})


def shape_of(ctx: OnnxContext, view: NodeView, i: int) -> str:
    """Return the shape of input `i`, int64, its dimensions in TensorFlow's order."""
    known = view.shape(i)
    if known is not None and all(d >= 0 for d in known):
        return ctx.ints(known)
    perm = ctx.perm_of(view, i)
    shape = ctx.node("Shape", [ctx.get(view, i, perm)])
    if perm is None:
        return shape
    return ctx.node("Gather", [shape, ctx.ints([perm.index(d) for d in range(len(perm))])])


def _give(ctx: OnnxContext, view: NodeView, port: int, value: str) -> None:
    """Set an int64 value as an output, in the type that TensorFlow gives it."""
    dtype = view.outputs[port].dtype
    ctx.set(view, port, value if dtype == "int64" else ctx.cast(value, dtype))


@converter("Shape", "ShapeN", engine="onnx", spec=OpSpec(dtypes=PLAIN))
def shape(ctx: OnnxContext, view: NodeView) -> None:
    """TF Shape, ShapeN -> Shape, or a constant."""
    for i in range(len(view.inputs)):
        known = view.shape(i)
        if known is not None and all(d >= 0 for d in known):
            ctx.set(view, i, ctx.const(np.asarray(known, view.outputs[i].dtype)))
        else:
            _give(ctx, view, i, shape_of(ctx, view, i))


@converter("Size", engine="onnx", spec=OpSpec(dtypes=PLAIN))
def size(ctx: OnnxContext, view: NodeView) -> None:
    """TF Size -> Size, or a constant."""
    known = view.shape(0)
    if known is not None and all(d >= 0 for d in known):
        ctx.set(view, 0, ctx.const(prod(known), view.outputs[0].dtype))
    else:
        _give(ctx, view, 0, ctx.node("Size", [ctx.get(view, 0, ctx.perm_of(view, 0))]))


@converter("Rank", engine="onnx", spec=OpSpec(dtypes=PLAIN))
def rank(ctx: OnnxContext, view: NodeView) -> None:
    """TF Rank -> a constant, or the size of Shape."""
    known = view.rank(0)
    if known is not None:
        ctx.set(view, 0, ctx.const(known, view.outputs[0].dtype))
    else:
        _give(ctx, view, 0, ctx.node("Size", [ctx.node("Shape", [ctx.get(view, 0)])]))


@converter("Reshape", engine="onnx", spec=_SECOND_INT)
def reshape(ctx: OnnxContext, view: NodeView) -> None:
    """TF Reshape -> Reshape, by a constant shape wherever what is known about the result allows one."""
    data, ordered = same_sequence(ctx, view, 0)
    target = _target(view, ordered)
    if target is not None:
        result = ctx.node("Reshape", [data, ctx.ints(target)])
    else:
        wanted = view.const(1)
        shape = int64(ctx, view, 1) if wanted is None else ctx.ints(wanted)
        # ONNX's 0 means "as the input" unless allowzero says that it means zero, as in TensorFlow.
        result = ctx.node("Reshape", [data, shape], allowzero=1)
    ctx.set(view, 0, result)


def _target(view: NodeView, ordered: bool) -> list[int] | None:
    """Return the shape argument of an ONNX Reshape that needs no allowzero, or None.

    Args:
        ordered: the input has TensorFlow's own order, so that a dimension may be copied from it by 0.
    """
    wanted = view.const(1)
    if wanted is not None and np.all(wanted != 0):
        return [int(d) for d in wanted.reshape(-1)]
    known = view.outputs[0].shape
    if known is None or 0 in known:
        return None
    source: Shape = view.shape(0) if ordered else ()
    target = [
        0 if d < -1 and source is not None and k < len(source) and source[k] == d else max(d, -1)
        for k, d in enumerate(known)
    ]
    return target if target.count(-1) <= 1 else None


def _check_squeeze(view: NodeView) -> Support:
    if view.attr("squeeze_dims", ()):
        return SUPPORTED
    known = view.shape(0)
    if known is None:
        return Unsupported(
            "unknown-rank", "Squeeze of all dimensions of size one needs the rank.", "input 0", "Give input_shapes."
        )
    if any(d < 0 for d in known):
        return Unsupported(
            "unknown-dim", "Squeeze of all dimensions of size one needs every size.", "input 0", "Give input_shapes."
        )
    return SUPPORTED


@converter("Squeeze", engine="onnx", spec=OpSpec(dtypes=PLAIN), check=_check_squeeze)
def squeeze(ctx: OnnxContext, view: NodeView) -> None:
    """TF Squeeze -> Squeeze."""
    axes = plain_axes(view.attr("squeeze_dims", ()), view.rank(0))
    if not axes:
        axes = [i for i, d in enumerate(view.shape(0) or ()) if d == 1]
    form = ctx.form_of(view, 0)
    value = ctx.get(view, 0, form)
    if form is not None:
        ctx.set(view, 0, value, leave_axes(form, axes))
    else:
        ctx.set(view, 0, ctx.node("Squeeze", [value, ctx.ints(axes)]) if axes else value)


@converter("ExpandDims", engine="onnx", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, constants=(1,)))
def expand_dims(ctx: OnnxContext, view: NodeView) -> None:
    """TF ExpandDims -> Unsqueeze."""
    perm, rank = ctx.perm_of(view, 0), view.rank(0)
    axes = plain_axes(np.asarray(view.known_const(1)).reshape(-1).tolist(), None if rank is None else rank + 1)
    form = ctx.form_of(view, 0)
    if form is not None and UNIT in form:
        ctx.set(view, 0, ctx.get(view, 0, form), take_unit(form, axes[0]))
        return
    where, after = insert_axes(perm, axes)
    ctx.set(view, 0, ctx.node("Unsqueeze", [ctx.get(view, 0, perm), ctx.ints(where)]), after)


@converter("Transpose", engine="onnx", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, constants=(1,)))
def transpose(ctx: OnnxContext, view: NodeView) -> None:
    """TF Transpose -> nothing: the result is the same value, held in another order, until somebody needs another."""
    order = const_axes(view, 1)
    perm = ctx.perm_of(view, 0)
    held = perm or tuple(range(len(order)))
    ctx.set(view, 0, ctx.get(view, 0, perm), tuple(order.index(d) for d in held))


@converter("IdentityN", engine="onnx", spec=OpSpec(dtypes=PLAIN))
def identity_n(ctx: OnnxContext, view: NodeView) -> None:
    """TF IdentityN -> nothing."""
    for i in range(len(view.inputs)):
        perm = ctx.perm_of(view, i)
        ctx.set(view, i, ctx.get(view, i, perm), perm)


@converter(
    "EnsureShape",
    engine="onnx",
    spec=OpSpec(dtypes=PLAIN),
    notes="The shape is what shape inference says already; it is not checked again.",
)
def ensure_shape(ctx: OnnxContext, view: NodeView) -> None:
    """TF EnsureShape -> nothing."""
    perm = ctx.perm_of(view, 0)
    ctx.set(view, 0, ctx.get(view, 0, perm), perm)


CONVERTERS = (shape, size, rank, reshape, squeeze, expand_dims, transpose, identity_n, ensure_shape)
