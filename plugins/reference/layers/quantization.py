"""Quantization: quantize, dequantize and dynamic_quantize, for whole tensors, along an axis or in blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfgraft.plugins.reference.layers.base import LIMITS, LayerFunction, along, is_float, optional, wide
from tfgraft.plugins.reference.network import Array, Layer, dtype_of

_SMALLEST_SCALE = 2.0**-127


def spread(coefficient: Array, x: Array, axis: int | None) -> Array:
    """Return a scale or zero point so that it broadcasts with `x`: scalar, along an axis, or repeated in blocks."""
    if coefficient.size == 1:
        return coefficient.reshape(())
    if coefficient.ndim == 1 and x.ndim > 1:
        return along(coefficient, 1 if axis is None else axis, x.ndim)
    for i, (blocks, length) in enumerate(zip(coefficient.shape, x.shape, strict=True)):
        if blocks not in (1, length):
            coefficient = np.repeat(coefficient, -(-length // blocks), i).take(np.arange(length), i)
    return coefficient


def saturate(value: Array, dtype: str) -> Array:
    """Round to a quantized type, what is beyond its limits becoming the limit."""
    target = dtype_of(dtype)
    limit = LIMITS[dtype]
    if is_float(target):
        return np.clip(value, -limit, limit).astype(np.float32).astype(target)
    return np.clip(np.rint(value), -limit - 1, limit).astype(np.int8).astype(target)


def quantize(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Return x / scale (+ zero point), rounded half to even and saturated."""
    x = wide(inputs[0])
    axis = layer.attrs["axis"]
    value = x / spread(wide(inputs[1]), x, axis)
    zero = optional(inputs, 2)
    if zero is not None:
        rounded = value if is_float(dtype_of(layer.attrs["to_type"])) else np.rint(value)
        value = rounded + spread(wide(zero).astype(np.float32), x, axis)
    return [saturate(value, layer.attrs["to_type"])]


def dequantize(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Return (x - zero point) * scale."""
    x = wide(inputs[0]).astype(np.float32)
    axis = layer.attrs["axis"]
    zero = optional(inputs, 2)
    if zero is not None:
        x = x - spread(wide(zero).astype(np.float32), x, axis)
    value = x * spread(wide(inputs[1]).astype(np.float32), x, axis)
    return [value.astype(dtype_of(layer.attrs["to_type"]))]


def dynamic_quantize(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Quantize blocks of an axis, each by a scale computed from its largest element; returns data and scales.

    MXFP8 scales are powers of two (E8M0), rounded up so that nothing saturates; NVFP4 scales are FP8 values, in units
    of the second input. Sources: OCP Microscaling Formats 1.0; NVIDIA's documentation of the layer.
    """
    x = wide(inputs[0])
    attrs = layer.attrs
    axis = attrs["axis"] % x.ndim
    size = attrs["block_size"]
    blocks = x.reshape(*x.shape[:axis], x.shape[axis] // size, size, *x.shape[axis + 1 :])
    top = np.abs(blocks).max(axis + 1)
    limit = LIMITS[attrs["to_type"]]
    if attrs["scale_type"] == "float8_e8m0fnu":
        scales = np.exp2(np.ceil(np.log2(np.maximum(top / limit, _SMALLEST_SCALE)))).astype(np.float32)
        stored = scales.astype(dtype_of("float8_e8m0fnu"))
    else:
        unit = wide(inputs[1]).astype(np.float32).reshape(())
        stored = saturate(top / limit / unit, "float8_e4m3fn")
        scales = wide(stored) * unit
    safe = np.where(scales == 0, 1, scales)
    return [saturate(x / np.repeat(safe, size, axis), attrs["to_type"]), stored]


TABLE: dict[str, LayerFunction] = {
    "quantize": quantize,
    "dequantize": dequantize,
    "dynamic_quantize": dynamic_quantize,
}
