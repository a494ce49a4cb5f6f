"""What converters of image ops share: images as float32, held channels-first."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.orders import NCHW
from tfgraft.converters.tensorrt.context import FLOATS, INTS, SMALL, TensorRtContext
from tfgraft.graph.view import NodeView

IMAGES = FLOATS | INTS | SMALL
"""Types of images that can be cast to float32."""


def float_image(ctx: TensorRtContext, view: NodeView) -> Any:
    """Return input 0, an NHWC image of any type, as float32 and NCHW."""
    return ctx.cast(ctx.get(view, 0, NCHW), "float32")
