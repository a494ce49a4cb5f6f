"""Pieces of integer arithmetic, written as ONNX Runtime makes integer kernels of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.fusions.rewriter import Rewriter

_MOST = 127


def step_of(rewriter: Rewriter, value: str) -> np.float32 | None:
    """Return the step of a dequantized value that has one for all its elements, or None."""
    maker = rewriter.maker(value, "DequantizeLinear")
    step = rewriter.array(maker.input[1]) if maker is not None else None
    return np.float32(step.reshape(())) if step is not None and step.size == 1 else None


def quantization_behind(rewriter: Rewriter, value: str) -> tuple[str, str] | None:
    """Return the step and the zero point with which a value is quantized, if nothing else reads it; or None."""
    reader = rewriter.only_reader(value)
    if reader is None or reader.op_type != "QuantizeLinear" or rewriter.dims(reader.input[1]) != ():
        return None
    return reader.input[1], reader.input[2]


def scale_channels(
    ctx: OnnxContext, x: str, step: np.float32, factors: NDArray[Any], shift: float | None = None
) -> str:
    """Emit `x * factor + shift` of a dequantized channels-first image, with a factor for each channel.

    It is a convolution of size one of each channel alone, every number of its kernel being the largest integer.
    """
    scales = np.where(factors == 0, 1, np.abs(factors) / _MOST).astype(np.float32)
    integers = (np.sign(factors) * _MOST).astype(np.int8).reshape(-1, 1, 1, 1)
    zeros = np.zeros(len(scales), np.int8)
    inputs = [x, ctx.node("DequantizeLinear", [ctx.const(p) for p in (integers, scales, zeros)], axis=0)]
    if shift is not None:
        unit = step * scales
        parts = (np.rint(shift / unit.astype(np.float64)).astype(np.int32), unit, np.zeros(len(scales), np.int32))
        inputs.append(ctx.node("DequantizeLinear", [ctx.const(p) for p in parts], axis=0))
    return str(ctx.node("Conv", inputs, group=len(scales), kernel_shape=[1, 1]))


def requantize(ctx: OnnxContext, value: str, step: str, zero: str) -> str:
    """Emit a QuantizeLinear and a DequantizeLinear."""
    integers = ctx.node("QuantizeLinear", [value, step, zero])
    return str(ctx.node("DequantizeLinear", [integers, step, zero]))
