"""Image resizing."""

from __future__ import annotations

import numpy as np

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import NCHW, Perm
from tfgraft.converters.resize_tables import axes_of, check_static, flags_of
from tfgraft.graph.dtypes import INTS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_SIZE = {1: frozenset({"int32"})}
_ANY = INTS | {"float16", "float32", "float64"}
_FLOAT = frozenset({"float32"})
_EXACT_NEAREST = frozenset({"float16", "float32", "int8", "int32", "uint8"})
"""What ONNX Runtime's Resize takes with mode nearest; Gather takes everything."""


def _held(ctx: OnnxContext, view: NodeView) -> tuple[str, Perm | None, list[int]]:
    """Return the image in the order in which it is held, that order, and where height and width are in it."""
    perm = ctx.perm_of(view, 0)
    order = perm or (0, 1, 2, 3)
    return ctx.get(view, 0, perm), perm, [order.index(1), order.index(2)]


def _as_float(ctx: OnnxContext, view: NodeView, value: str) -> str:
    return value if view.dtype() == "float32" else ctx.cast(value, "float32")


@converter(
    "ResizeBilinear",
    engine="onnx",
    spec=OpSpec(dtypes=_ANY, input_dtypes=_SIZE, output_dtypes={0: _FLOAT}, ranks={0: (4,)}),
)
def resize_bilinear(ctx: OnnxContext, view: NodeView) -> None:
    """TF ResizeBilinear -> Resize, mode linear; the result is float32 whatever comes in, as in TensorFlow."""
    align, half = flags_of(view)
    value = _as_float(ctx, view, ctx.get(view, 0, NCHW))
    batch_channels = ctx.node("Shape", [value], end=2)
    size = ctx.cast(ctx.get(view, 1), "int64") if view.const(1) is None else ctx.ints(view.known_const(1))
    sizes = ctx.node("Concat", [batch_channels, size], axis=0)
    mode = "align_corners" if align else ("half_pixel" if half else "asymmetric")
    result = ctx.node("Resize", [value, "", "", sizes], mode="linear", coordinate_transformation_mode=mode)
    ctx.set(view, 0, result, NCHW)


@converter(
    "ResizeNearestNeighbor",
    engine="onnx",
    spec=OpSpec(dtypes=_ANY, input_dtypes=_SIZE, ranks={0: (4,)}),
)
def resize_nearest_neighbor(ctx: OnnxContext, view: NodeView) -> None:
    """TF ResizeNearestNeighbor -> Resize where sizes grow by whole factors, else a Gather of rows and of columns."""
    value, perm, places = _held(ctx, view)
    axes = axes_of(view)
    if axes is not None and view.dtype() in _EXACT_NEAREST and all(axis.repeats for axis in axes):
        scales = np.ones(4, np.float32)
        scales[places] = [a.out // a.size for a in axes]
        result = ctx.node(
            "Resize",
            [value, "", ctx.const(scales)],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        ctx.set(view, 0, result, perm)
        return
    for i, place in enumerate(places):
        indices = ctx.ints(axes[i].nearest()) if axes is not None else _nearest(ctx, view, value, i, place)
        value = ctx.node("Gather", [value, indices], axis=place)
    ctx.set(view, 0, value, perm)


def _nearest(ctx: OnnxContext, view: NodeView, value: str, i: int, place: int) -> str:
    """Emit the computation of `Axis.nearest` for sizes that are known only when running."""
    align, half = flags_of(view)
    size = ctx.node("Squeeze", [ctx.node("Shape", [value], start=place, end=place + 1), ctx.ints([0])])
    out = ctx.node("Gather", [ctx.cast(ctx.get(view, 1), "int64"), ctx.const(i, "int64")])
    zero, one = ctx.const(0, "int64"), ctx.const(1, "int64")
    x = ctx.cast(ctx.node("Range", [zero, out, one]), "float32")
    last = ctx.node("Sub", [size, one])
    scale = ctx.node("Div", [ctx.cast(size, "float32"), ctx.cast(out, "float32")])
    if align:
        steps = ctx.node("Sub", [out, one])
        several = ctx.node("Greater", [out, one])
        aligned = ctx.node("Div", [ctx.cast(last, "float32"), ctx.cast(steps, "float32")])
        scale = ctx.node("Where", [several, aligned, scale])
    if half:
        x = ctx.node("Add", [x, ctx.const(0.5, "float32")])
    position = ctx.node("Mul", [x, scale])
    index = ctx.node("Floor", [position])
    if align:
        up = ctx.node("GreaterOrEqual", [ctx.node("Sub", [position, index]), ctx.const(0.5, "float32")])
        index = ctx.node("Add", [index, ctx.cast(up, "float32")])
    result: str = ctx.node("Min", [ctx.cast(index, "int64"), last])
    return result


@converter(
    "ResizeBicubic",
    "ResizeArea",
    engine="onnx",
    spec=OpSpec(dtypes=_ANY, input_dtypes=_SIZE, output_dtypes={0: _FLOAT}, ranks={0: (4,)}),
    check=check_static,
)
def resize_by_weights(ctx: OnnxContext, view: NodeView) -> None:
    """TF ResizeBicubic, ResizeArea -> a MatMul with TensorFlow's own weights from each side.

    ONNX's Resize computes cubic weights exactly, TensorFlow takes them from a table; ONNX has no area mode.
    """
    axes = axes_of(view)
    assert axes is not None, view.name
    height, width = (a.cubic() if view.op == "ResizeBicubic" else a.area() for a in axes)
    value = _as_float(ctx, view, ctx.get(view, 0, NCHW))
    rows = ctx.node("MatMul", [value, ctx.const(width)])
    ctx.set(view, 0, ctx.node("MatMul", [ctx.const(np.ascontiguousarray(height.T)), rows]), NCHW)


CONVERTERS = (resize_bilinear, resize_nearest_neighbor, resize_by_weights)
