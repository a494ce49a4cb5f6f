"""What converters of image ops share: images as float32, held channels-first, and counting up to a size."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfgraft.converters.orders import NCHW
from tfgraft.converters.tensorrt.context import FLOATS, INTS, TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, vector
from tfgraft.graph.view import NodeView

IMAGES = FLOATS | INTS | {"int8", "uint8"}
"""Types of images that can be cast to float32."""


def float_image(ctx: TensorRtContext, view: NodeView) -> Any:
    """Return input 0, an NHWC image of any type, as float32 and NCHW. It is cast before it is transposed."""
    if view.dtype() == "float32":
        return ctx.get(view, 0, NCHW)
    perm = ctx.perm_of(view, 0)
    image = ctx.cast(ctx.get(view, 0, perm), "float32")
    have = perm or (0, 1, 2, 3)
    return ctx.transpose(image, [have.index(d) for d in NCHW])


def count_up(ctx: TensorRtContext, size: Dim, dtype: str) -> Any:
    """Return the vector 0, 1, ... size - 1."""
    if isinstance(size, int):
        return ctx.const(np.arange(size), dtype)
    linear = ctx.trt.FillOperation.LINSPACE
    first, step = ctx.const(np.array(0), dtype), ctx.const(np.array([1]), dtype)
    return ctx.add("fill", (1,), linear, ctx.type(dtype), inputs={0: vector(ctx, [size]), 1: first, 2: step})
