"""Tensors made from shapes: constants, ranges, broadcasts."""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from tfgraft.converters.onnx.axes import int64
from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.shape import shape_of
from tfgraft.graph.dtypes import INTS, PLAIN
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_INDEX = frozenset({"int32", "int64"})


def filled(ctx: OnnxContext, shape: str, value: object, dtype: str) -> str:
    """Emit a tensor of shape `shape` (an int64 vector) that holds `value` everywhere."""
    tensor = numpy_helper.from_array(np.full(1, value, dtype))
    return ctx.node("ConstantOfShape", [shape], value=tensor)


def counted(ctx: OnnxContext, ends: list[str], dtype: str) -> str:
    """Emit the Range of start, limit and delta, all int64, as integers of a type.

    Computed as int64: ONNX's shape inference fails on a Range of int32 whose limit is a cast Shape that it knows.
    """
    numbers: str = ctx.node("Range", ends)
    return numbers if dtype == "int64" else ctx.cast(numbers, dtype)


@converter("ZerosLike", "OnesLike", engine="onnx", spec=OpSpec(dtypes=PLAIN))
def zeros_like(ctx: OnnxContext, view: NodeView) -> None:
    """TF ZerosLike, OnesLike -> ConstantOfShape."""
    ctx.set(view, 0, filled(ctx, shape_of(ctx, view, 0), int(view.op == "OnesLike"), view.dtype()))


@converter("Fill", engine="onnx", spec=OpSpec(dtypes=PLAIN, input_dtypes={0: INTS}))
def fill(ctx: OnnxContext, view: NodeView) -> None:
    """TF Fill -> ConstantOfShape for a constant value, else Expand."""
    value, shape = view.const(1), int64(ctx, view, 0)
    if value is not None:
        ctx.set(view, 0, filled(ctx, shape, value, view.dtype(1)))
    else:
        ctx.set(view, 0, ctx.node("Expand", [ctx.get(view, 1), shape]))


@converter("Range", engine="onnx", spec=OpSpec(dtypes=_INDEX))
def range_(ctx: OnnxContext, view: NodeView) -> None:
    """TF Range of integers -> Range; ONNX Runtime adds floats up where TensorFlow multiplies, so those are refused."""
    ctx.set(view, 0, counted(ctx, [int64(ctx, view, i) for i in range(3)], view.dtype()))


@converter("BroadcastTo", engine="onnx", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}))
def broadcast_to(ctx: OnnxContext, view: NodeView) -> None:
    """TF BroadcastTo -> Expand."""
    ctx.set(view, 0, ctx.node("Expand", [ctx.get(view, 0), int64(ctx, view, 1)]))


def _check_broadcast_args(view: NodeView) -> Support:
    for i in (0, 1):
        length = (view.shape(i) or (-1,))[0]
        if length < 0:
            return Unsupported("unknown-dim", f"BroadcastArgs needs the length of input {i}.", f"input {i}")
    return SUPPORTED


@converter("BroadcastArgs", engine="onnx", spec=OpSpec(dtypes=_INDEX), check=_check_broadcast_args)
def broadcast_args(ctx: OnnxContext, view: NodeView) -> None:
    """TF BroadcastArgs -> the first shape, and the second where the first is 1."""
    lengths = [(view.shape(i) or (0,))[0] for i in (0, 1)]
    shapes = []
    for i in (0, 1):
        name = ctx.get(view, i)
        missing = max(lengths) - lengths[i]
        if missing:
            name = ctx.node("Concat", [ctx.const(np.ones(missing), view.dtype()), name], axis=0)
        shapes.append(name)
    one = ctx.const(1, view.dtype())
    ctx.set(view, 0, ctx.node("Where", [ctx.node("Equal", [shapes[0], one]), shapes[1], shapes[0]]))


CONVERTERS = (zeros_like, fill, range_, broadcast_to, broadcast_args)
