"""TensorFlow's padding of sliding windows in ONNX."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.windows import Window


def padding_attrs(window: Window) -> dict[str, Any]:
    """Return the attributes pads or auto_pad of an ONNX node."""
    pads = window.pads()
    return {"pads": pads} if pads is not None else {"auto_pad": "SAME_UPPER"}


def auto_pad_is_wrong(window: Window) -> bool:
    """Tell whether only auto_pad is left to use and ONNX Runtime does not take it with dilations."""
    return window.pads() is None and any(d > 1 for d in window.dilations)


def pad_dynamically(ctx: OnnxContext, window: Window, value: str) -> str:
    """Emit zero padding of a channels-first value that makes "SAME" "VALID", computed when running."""
    sizes = ctx.node("Shape", [value], start=2)
    strides, extents = ctx.ints(window.strides), ctx.ints(window.extents)
    one, two = ctx.ints([1]), ctx.ints([2])
    steps = ctx.node("Div", [ctx.node("Sub", [sizes, one]), strides])  # output sizes less one
    covered = ctx.node("Add", [ctx.node("Mul", [steps, strides]), extents])
    total = ctx.node("Max", [ctx.node("Sub", [covered, sizes]), ctx.ints([0])])
    before = ctx.node("Div", [total, two])
    after = ctx.node("Sub", [total, before])
    zeros = ctx.ints([0, 0])
    padded: str = ctx.node("Pad", [value, ctx.node("Concat", [zeros, before, zeros, after], axis=0)])
    return padded
