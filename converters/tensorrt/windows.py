"""TensorFlow's padding of sliding windows in TensorRT."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.tensorrt.context import TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, dims_of, floor_div, larger, minus, plus, times
from tfgraft.converters.tensorrt.emit import cut
from tfgraft.converters.windows import Window


def padding(ctx: TensorRtContext, window: Window) -> dict[str, Any]:
    """Return the settings of a convolution or pooling layer that pad as TensorFlow does."""
    pads = window.pads()
    if pads is None:
        return {"padding_mode": ctx.trt.PaddingMode.SAME_UPPER}
    half = len(window.kernel)
    return {"pre_padding": tuple(pads[:half]), "post_padding": tuple(pads[half:])}


def same_upper_is_wrong(window: Window) -> bool:
    """Tell whether only SAME_UPPER is left, and TensorRT would pad less than nothing with it.

    TensorRT's padding is (ceil(size / stride) - 1) * stride + extent - size, which TensorFlow's is too, but never below
    zero. It can be below where strides skip elements.
    """
    return window.pads() is None and any(e < s for e, s in zip(window.extents, window.strides, strict=True))


def pad_same(ctx: TensorRtContext, window: Window, value: Any) -> Any:
    """Add the zeros around a channels-first value that make "SAME" "VALID", counted when running."""
    sizes = dims_of(ctx, value)
    starts: list[Dim] = [0, 0]
    totals = sizes[:2]
    for n, e, s in zip(sizes[2:], window.extents, window.strides, strict=True):
        covered = plus(ctx, times(ctx, floor_div(ctx, minus(ctx, n, 1), s), s), e)
        pads = larger(ctx, minus(ctx, covered, n), 0)
        starts.append(minus(ctx, 0, floor_div(ctx, pads, 2)))
        totals.append(plus(ctx, n, pads))
    return cut(ctx, value, starts, totals, mode="FILL")
