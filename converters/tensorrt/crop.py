"""Crops of images, resized to one size."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfgraft.converters.tensorrt.context import TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, dims_of, minus, vector
from tfgraft.converters.tensorrt.emit import binary, concat, cut, like, select, unary, unsqueeze
from tfgraft.converters.tensorrt.image import IMAGES
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_FLOAT = frozenset({"float32"})
_INT = frozenset({"int32"})


class _Side:
    """One side of the crops: where its elements are read, as values of shape [boxes, crop]."""

    def __init__(self, ctx: TensorRtContext, size: Dim, boxes: Any, count: Dim, side: int, crop: int) -> None:
        self._ctx = ctx
        last = ctx.cast(vector(ctx, [minus(ctx, size, 1)]), "float32")
        self.last = unsqueeze(ctx, last, [0])
        low, high = (cut(ctx, boxes, (0, column), [count, 1]) for column in (side, side + 2))
        if crop > 1:
            extent = binary(ctx, "PROD", binary(ctx, "SUB", high, low), self.last)
            step = binary(ctx, "DIV", extent, like(ctx, extent, crop - 1))
            along = binary(ctx, "PROD", step, ctx.const(np.arange(crop, dtype=np.float32)[None]))
            self.position = binary(ctx, "SUM", binary(ctx, "PROD", low, self.last), along)
        else:
            middle = binary(ctx, "PROD", binary(ctx, "SUM", low, high), like(ctx, low, 0.5))
            self.position = binary(ctx, "PROD", middle, self.last)
        self.whole = unary(ctx, "FLOOR", self.position)
        self.fraction = binary(ctx, "SUB", self.position, self.whole)
        below = binary(ctx, "LESS", self.position, like(ctx, self.position, 0.0))
        self.outside = binary(ctx, "OR", below, binary(ctx, "GREATER", self.position, self.last))

    def index(self, rounding: str) -> Any:
        """Return the elements read, as int64 inside the image: rounded by FLOOR or CEIL, or "nearest"."""
        ctx = self._ctx
        if rounding == "nearest":
            below = binary(ctx, "LESS", self.fraction, like(ctx, self.fraction, 0.5))
            rounded = select(ctx, below, self.whole, binary(ctx, "SUM", self.whole, like(ctx, self.whole, 1.0)))
        else:
            rounded = unary(ctx, rounding, self.position)
        inside = binary(ctx, "MAX", binary(ctx, "MIN", rounded, self.last), like(ctx, rounded, 0.0))
        return ctx.cast(inside, "int64")


@converter(
    "CropAndResize",
    engine="tensorrt",
    spec=OpSpec(
        dtypes=_FLOAT,
        input_dtypes={0: IMAGES, 2: _INT, 3: _INT},
        ranks={0: (4,), 1: (2,), 2: (1,)},
        constants=(3,),
        attrs={"method": ("bilinear", "nearest")},
    ),
)
def crop_and_resize(ctx: TensorRtContext, view: NodeView) -> None:
    """TF CropAndResize (constant crop size) -> gathers of the pixels around each position, weighted."""
    height, width = (int(n) for n in view.known_const(3))
    image, boxes = ctx.cast(ctx.get(view, 0), "float32"), ctx.get(view, 1)
    sizes, count = dims_of(ctx, image)[1:3], dims_of(ctx, boxes)[0]
    batch = unsqueeze(ctx, ctx.cast(ctx.get(view, 2), "int64"), [1, 2, 3])
    rows, columns = (_Side(ctx, sizes[k], boxes, count, k, crop) for k, crop in ((0, height), (1, width)))
    grid = ctx.const(np.zeros((1, height, width, 1), np.int64))
    across, down = (1, 3), (2, 3)  # dimensions that make a side [boxes, height, width, 1]

    def pixels(y: Any, x: Any) -> Any:
        places = [batch, unsqueeze(ctx, y, down), unsqueeze(ctx, x, across)]
        indices = concat(ctx, [binary(ctx, "SUM", place, grid) for place in places], 3)
        return ctx.add("gather_v2", image, indices, ctx.trt.GatherMode.ND)

    def between(low: Any, high: Any, fraction: Any) -> Any:
        return binary(ctx, "SUM", low, binary(ctx, "PROD", binary(ctx, "SUB", high, low), fraction))

    if view.attr("method", "bilinear") == "nearest":
        value = pixels(rows.index("nearest"), columns.index("nearest"))
    else:
        left, right = columns.index("FLOOR"), columns.index("CEIL")
        x, y = unsqueeze(ctx, columns.fraction, across), unsqueeze(ctx, rows.fraction, down)
        top, bottom = (
            between(pixels(row, left), pixels(row, right), x) for row in (rows.index("FLOOR"), rows.index("CEIL"))
        )
        value = between(top, bottom, y)
    outside = binary(ctx, "OR", unsqueeze(ctx, rows.outside, down), unsqueeze(ctx, columns.outside, across))
    filler = like(ctx, value, float(view.attr("extrapolation_value", 0.0)))
    ctx.set(view, 0, select(ctx, outside, filler, value))


CONVERTERS = (crop_and_resize,)
