"""Crops of images, resized to one size."""

from __future__ import annotations

import numpy as np

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.graph.dtypes import INTS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_FLOAT = frozenset({"float32"})
_INT = frozenset({"int32"})


class _Side:
    """One side of the crops: where its elements are read, as values of shape [boxes, crop]."""

    def __init__(self, ctx: OnnxContext, image: str, boxes: str, side: int, crop: int) -> None:
        size = ctx.node("Shape", [image], start=side + 1, end=side + 2)
        self.last = ctx.cast(ctx.node("Sub", [size, ctx.ints([1])]), "float32")
        low, high = (ctx.node("Gather", [boxes, ctx.ints([column])], axis=1) for column in (side, side + 2))
        if crop > 1:
            extent = ctx.node("Mul", [ctx.node("Sub", [high, low]), self.last])
            step = ctx.node("Div", [extent, ctx.const(np.float32(crop - 1))])
            along = ctx.node("Mul", [step, ctx.const(np.arange(crop, dtype=np.float32)[None])])
            self.position = ctx.node("Add", [ctx.node("Mul", [low, self.last]), along])
        else:
            middle = ctx.node("Mul", [ctx.node("Add", [low, high]), ctx.const(np.float32(0.5))])
            self.position = ctx.node("Mul", [middle, self.last])
        below = ctx.node("Less", [self.position, ctx.const(np.float32(0))])
        self.outside = ctx.node("Or", [below, ctx.node("Greater", [self.position, self.last])])

    def index(self, ctx: OnnxContext, rounding: str) -> str:
        """Return the elements read, as int64 inside the image: rounded by ONNX's Floor or Ceil, or "nearest"."""
        if rounding == "nearest":
            whole = ctx.node("Floor", [self.position])
            fraction = ctx.node("Sub", [self.position, whole])
            up = ctx.node("GreaterOrEqual", [fraction, ctx.const(np.float32(0.5))])
            rounded = ctx.node("Add", [whole, ctx.cast(up, "float32")])
        else:
            rounded = ctx.node(rounding, [self.position])
        inside = ctx.node("Max", [ctx.node("Min", [rounded, self.last]), ctx.const(np.float32(0))])
        return ctx.cast(inside, "int64")

    def fraction(self, ctx: OnnxContext) -> str:
        """Return how far the position is beyond the element that Floor gives."""
        result: str = ctx.node("Sub", [self.position, ctx.node("Floor", [self.position])])
        return result


@converter(
    "CropAndResize",
    engine="onnx",
    spec=OpSpec(
        dtypes=_FLOAT,
        input_dtypes={0: INTS | {"float16", "float32", "float64"}, 2: _INT, 3: _INT},
        ranks={0: (4,), 1: (2,), 2: (1,)},
        constants=(3,),
        attrs={"method": ("bilinear", "nearest")},
    ),
)
def crop_and_resize(ctx: OnnxContext, view: NodeView) -> None:
    """TF CropAndResize (constant crop size) -> GatherND of the pixels around each position, weighted."""
    height, width = (int(n) for n in view.known_const(3))
    image = ctx.get(view, 0)
    image = image if view.dtype(0) == "float32" else ctx.cast(image, "float32")
    boxes = ctx.get(view, 1)
    batch = ctx.node("Unsqueeze", [ctx.cast(ctx.get(view, 2), "int64"), ctx.ints([1, 2, 3])])
    rows, columns = (_Side(ctx, image, boxes, side, crop) for side, crop in ((0, height), (1, width)))
    grid = ctx.const(np.zeros((1, height, width, 1), np.int64))
    across, down = ctx.ints([1, 3]), ctx.ints([2, 3])  # dimensions that make a side [boxes, height, width, 1]

    def pixels(y: str, x: str) -> str:
        places = [batch, ctx.node("Unsqueeze", [y, down]), ctx.node("Unsqueeze", [x, across])]
        whole = [ctx.node("Add", [place, grid]) for place in places]
        result: str = ctx.node("GatherND", [image, ctx.node("Concat", whole, axis=3)])
        return result

    def between(low: str, high: str, fraction: str) -> str:
        step = ctx.node("Mul", [ctx.node("Sub", [high, low]), fraction])
        result: str = ctx.node("Add", [low, step])
        return result

    if view.attr("method", "bilinear") == "nearest":
        value = pixels(rows.index(ctx, "nearest"), columns.index(ctx, "nearest"))
    else:
        left, right = columns.index(ctx, "Floor"), columns.index(ctx, "Ceil")
        x = ctx.node("Unsqueeze", [columns.fraction(ctx), across])
        y = ctx.node("Unsqueeze", [rows.fraction(ctx), down])
        top, bottom = (
            between(pixels(row, left), pixels(row, right), x)
            for row in (rows.index(ctx, "Floor"), rows.index(ctx, "Ceil"))
        )
        value = between(top, bottom, y)
    outside = ctx.node(
        "Or", [ctx.node("Unsqueeze", [rows.outside, down]), ctx.node("Unsqueeze", [columns.outside, across])]
    )
    filler = ctx.const(np.float32(view.attr("extrapolation_value", 0.0)))
    ctx.set(view, 0, ctx.node("Where", [outside, filler, value]))


CONVERTERS = (crop_and_resize,)
