"""What the layer functions share: their type, how narrow floats are computed, masks of axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from tfgraft.plugins.reference.network import Array, Layer

Values = Sequence[Array | None]
LayerFunction = Callable[[Layer, Any], Sequence[Array]]
"""Takes a layer and a sequence of its inputs' values (None for an empty slot), gives the values of its outputs."""

_NARROW = frozenset(
    np.dtype(t)
    for t in (
        np.float16,
        ml_dtypes.bfloat16,
        ml_dtypes.float8_e4m3fn,
        ml_dtypes.float4_e2m1fn,
        ml_dtypes.float8_e8m0fnu,
    )
)
LIMITS = {"float8_e4m3fn": 448.0, "float4_e2m1fn": 6.0, "int8": 127, "int4": 7}
"""The largest value of the types that quantization saturates to."""


def wide(value: Array) -> Array:
    """Return FP16, BF16 and smaller floats as FP32, for computing; anything else as it is."""
    return value.astype(np.float32) if value.dtype in _NARROW else value


def is_float(dtype: np.dtype[Any]) -> bool:
    """Tell whether a type is a floating-point type, numpy's own or one of ml_dtypes'."""
    return dtype.kind == "f" or dtype in _NARROW


def axes_of(mask: int, rank: int) -> tuple[int, ...]:
    """Return the axes in a mask, bit 0 being axis 0."""
    return tuple(axis for axis in range(rank) if mask >> axis & 1)


def along(vector: Array, axis: int, rank: int) -> Array:
    """Return a vector shaped to broadcast along one axis of an array of a given rank."""
    shape = [1] * rank
    shape[axis] = -1
    return vector.reshape(shape)


def optional(inputs: Sequence[Array | None], i: int) -> Array | None:
    """Return input `i`, or None where the layer has no such slot or nothing in it."""
    return inputs[i] if i < len(inputs) else None


def dims(layer: Layer, inputs: Sequence[Array | None], i: int, attr: str) -> list[int]:
    """Return dimensions that come as input `i` or, without one, as an attribute."""
    value = optional(inputs, i)
    return [int(v) for v in (layer.attrs[attr] if value is None else value.ravel())]
