"""Quantized graphs as the pass `quantize` makes them, and models that were trained so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

RANDOM = np.random.default_rng(11)
X = (RANDOM.standard_normal((2, 8, 8, 8)) * 2).astype("float32")
RAW = tf.raw_ops


def values(*shape: int) -> Any:
    """Return random float32 values: small ones for a kernel, which keeps results about as large as what is read."""
    scale = math.sqrt(math.prod(shape[:-1]) or 1)
    return (RANDOM.standard_normal(shape) / scale).astype("float32")


def signed(x: Any, bound: float) -> Any:
    """Quantize an activation to int8."""
    return RAW.QuantizeAndDequantizeV2(input=x, input_min=-bound, input_max=bound, range_given=True)


def unsigned(x: Any, bound: float) -> Any:
    """Quantize an activation that is never negative to uint8."""
    return RAW.QuantizeAndDequantizeV2(input=x, input_min=0.0, input_max=bound, range_given=True, signed_input=False)


def kernel(value: Any, axis: int = -1) -> Any:
    """Quantize a constant to int8, -127..127, with a range for each element of an axis; -1: one range."""
    value = np.asarray(value)
    others = None if axis == -1 else tuple(d for d in range(value.ndim) if d != axis)
    high = np.abs(value).max(axis=others)
    return RAW.QuantizeAndDequantizeV3(
        input=value, input_min=-high, input_max=high, num_bits=8, range_given=True, narrow_range=True, axis=axis
    )


def conv(x: Any, outputs: int, size: int = 3, bias: bool = True, **how: Any) -> Any:
    """Convolve with a quantized kernel, and add a bias."""
    weights = values(size, size, x.shape[-1], outputs)
    y = tf.nn.conv2d(x, kernel(weights, 3), **{"strides": 1, "padding": "SAME", **how})
    return tf.nn.bias_add(y, values(outputs)) if bias else y


def depthwise(x: Any, multiplier: int = 1) -> Any:
    """Convolve each channel alone, and add a bias."""
    y = tf.nn.depthwise_conv2d(x, kernel(values(3, 3, x.shape[-1], multiplier) * 3, 2), [1, 1, 1, 1], "SAME")
    return y + values(y.shape[-1])
