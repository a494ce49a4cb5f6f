"""Image resizing."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfgraft.converters.orders import NCHW
from tfgraft.converters.resize_tables import axes_of, check_static, flags_of
from tfgraft.converters.tensorrt.context import FLOATS, TensorRtContext
from tfgraft.converters.tensorrt.counting import count
from tfgraft.converters.tensorrt.dims import Dim, dims_of, elements, larger, minus, vector
from tfgraft.converters.tensorrt.emit import binary, like, select, unary
from tfgraft.converters.tensorrt.image import IMAGES, float_image
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_SIZE = {1: frozenset({"int32"})}
_FLOAT = frozenset({"float32"})


def _size(ctx: TensorRtContext, view: NodeView) -> list[Dim]:
    """Return the new height and width."""
    size = view.const(1)
    return elements(ctx, ctx.get(view, 1), 2) if size is None else [int(n) for n in size]


@converter(
    "ResizeBilinear",
    engine="tensorrt",
    spec=OpSpec(dtypes=IMAGES, input_dtypes=_SIZE, output_dtypes={0: _FLOAT}, ranks={0: (4,)}),
)
def resize_bilinear(ctx: TensorRtContext, view: NodeView) -> None:
    """TF ResizeBilinear -> resize LINEAR of NCHW; the result is float32 whatever comes in, as in TensorFlow."""
    align, half = flags_of(view)
    image = float_image(ctx, view)
    shape = [*dims_of(ctx, image)[:2], *_size(ctx, view)]
    mode = "ALIGN_CORNERS" if align else ("HALF_PIXEL" if half else "ASYMMETRIC")
    static = all(isinstance(d, int) for d in shape)
    result = ctx.add(
        "resize",
        image,
        shape=tuple(shape) if static else None,
        inputs={} if static else {1: vector(ctx, shape)},
        resize_mode=ctx.trt.InterpolationMode.LINEAR,
        coordinate_transformation=getattr(ctx.trt.ResizeCoordinateTransformation, mode),
        # Of one row or column TensorFlow takes the middle with half pixel centers, else the first.
        selector_for_single_pixel=ctx.trt.ResizeSelector.FORMULA if half else ctx.trt.ResizeSelector.UPPER,
    )
    ctx.set(view, 0, result, NCHW)


@converter("ResizeNearestNeighbor", engine="tensorrt", spec=OpSpec(dtypes=IMAGES, input_dtypes=_SIZE, ranks={0: (4,)}))
def resize_nearest_neighbor(ctx: TensorRtContext, view: NodeView) -> None:
    """TF ResizeNearestNeighbor -> a resize where sizes grow by whole factors, else a gather of rows and of columns.

    TensorRT does not say in which precision it computes places, and between two pixels the last bit decides.
    """
    perm, axes = ctx.perm_of(view, 0), axes_of(view)
    if axes is not None and view.dtype() in FLOATS and all(axis.repeats for axis in axes):
        image = ctx.get(view, 0, NCHW)
        shape = [*dims_of(ctx, image)[:2], *(a.out for a in axes)]
        scales = (1.0, 1.0, *(float(a.out // a.size) for a in axes))
        static = all(isinstance(d, int) for d in shape)
        result = ctx.add(
            "resize",
            image,
            shape=tuple(shape) if static else None,
            scales=None if static else scales,
            resize_mode=ctx.trt.InterpolationMode.NEAREST,
            coordinate_transformation=ctx.trt.ResizeCoordinateTransformation.ASYMMETRIC,
            nearest_rounding=ctx.trt.ResizeRoundMode.FLOOR,
        )
        ctx.set(view, 0, result, NCHW)
        return
    order = perm or (0, 1, 2, 3)
    value = ctx.get(view, 0, perm)
    after = _size(ctx, view) if axes is None else []
    for i, place in enumerate((order.index(1), order.index(2))):
        if axes is not None:
            indices = ctx.const(axes[i].nearest(), "int64")
        else:
            indices = _nearest(ctx, *flags_of(view), dims_of(ctx, value)[place], after[i])
        value = ctx.add("gather", value, indices, place)
    ctx.set(view, 0, value, perm)


def _nearest(ctx: TensorRtContext, align: bool, half: bool, size: Dim, out: Dim) -> Any:
    """Add the computation of `Axis.nearest` for sizes that are known only when running."""

    def floats(dim: Dim) -> Any:
        return ctx.cast(vector(ctx, [dim]), "float32")

    x = count(ctx, out, "float32")
    scale = binary(ctx, "DIV", floats(size), floats(out))
    if align:
        aligned = binary(ctx, "DIV", floats(minus(ctx, size, 1)), floats(larger(ctx, minus(ctx, out, 1), 1)))
        several = binary(ctx, "GREATER", floats(out), like(ctx, scale, 1.0))
        scale = select(ctx, several, aligned, scale)
    if half:
        x = binary(ctx, "SUM", x, like(ctx, x, 0.5))
    place = binary(ctx, "PROD", x, scale)
    index = unary(ctx, "FLOOR", place)
    if align:
        # Half away from zero, as C's roundf.
        below = binary(ctx, "LESS", binary(ctx, "SUB", place, index), like(ctx, x, 0.5))
        index = select(ctx, below, index, binary(ctx, "SUM", index, like(ctx, index, 1.0)))
    return binary(ctx, "MIN", ctx.cast(index, "int64"), vector(ctx, [minus(ctx, size, 1)]))


@converter(
    "ResizeBicubic",
    "ResizeArea",
    engine="tensorrt",
    spec=OpSpec(dtypes=IMAGES, input_dtypes=_SIZE, output_dtypes={0: _FLOAT}, ranks={0: (4,)}),
    check=check_static,
)
def resize_by_weights(ctx: TensorRtContext, view: NodeView) -> None:
    """TF ResizeBicubic, ResizeArea -> a matrix multiplication with TensorFlow's own weights from each side.

    TensorRT computes cubic weights exactly, TensorFlow takes them from a table; TensorRT has no area mode.
    """
    axes = axes_of(view)
    assert axes is not None, view.name
    height, width = (a.cubic() if view.op == "ResizeBicubic" else a.area() for a in axes)
    none = ctx.trt.MatrixOperation.NONE
    rows = ctx.add("matrix_multiply", float_image(ctx, view), none, ctx.const(width[None, None]), none)
    left = ctx.const(np.ascontiguousarray(height.T)[None, None])
    ctx.set(view, 0, ctx.add("matrix_multiply", left, none, rows, none), NCHW)


CONVERTERS = (resize_bilinear, resize_nearest_neighbor, resize_by_weights)
