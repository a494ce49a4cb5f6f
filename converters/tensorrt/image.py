"""What converters of image ops share: images as float32, held channels-first, and counting up to a size."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfgraft.converters.orders import NCHW
from tfgraft.converters.tensorrt.context import FLOATS, INTS, SMALL, TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, vector
from tfgraft.graph.view import NodeView

IMAGES = FLOATS | INTS | SMALL
"""Types of images that can be cast to float32."""


def float_image(ctx: TensorRtContext, view: NodeView) -> Any:
    """Return input 0, an NHWC image of any type, as float32 and NCHW."""
    return ctx.cast(ctx.get(view, 0, NCHW), "float32")


def count_up(ctx: TensorRtContext, size: Dim, dtype: str) -> Any:
    """Return the vector 0, 1, ... size - 1."""
    if isinstance(size, int):
        return ctx.const(np.arange(size), dtype)
    linear = ctx.trt.FillOperation.LINSPACE
    first, step = ctx.const(np.array(0), dtype), ctx.const(np.array([1]), dtype)
    return ctx.add("fill", (1,), linear, ctx.type(dtype), inputs={0: vector(ctx, [size]), 1: first, 2: step})
