"""How far arrays are from those that were expected."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def relative_error(expected: Array, got: Array) -> float:
    """Return |got - expected| / |expected| (L2); infinite where shapes, NaNs or infinities differ."""
    if expected.shape != got.shape:
        return float("inf")
    kind = np.complex128 if np.iscomplexobj(expected) else np.float64
    a, b = expected.astype(kind).ravel(), got.astype(kind).ravel()
    odd = ~np.isfinite(a) | ~np.isfinite(b)
    if odd.any():
        if not np.array_equal(a[odd], b[odd], equal_nan=True):
            return float("inf")
        a, b = a[~odd], b[~odd]
    difference, size = float(np.linalg.norm(b - a)), float(np.linalg.norm(a))
    return difference / size if size else difference


def unequal(expected: Array, got: Array) -> float:
    """Return the share of elements that are not equal, 0 to 1; infinite where shapes differ."""
    if expected.shape != got.shape:
        return float("inf")
    return float(np.mean(expected != got)) if expected.size else 0.0


def distance(expected: Array, got: Array) -> float:
    """Return the `relative_error` of floats and complex numbers, and of anything else what is `unequal`."""
    return relative_error(expected, got) if _is_inexact(expected) else unequal(expected, got)


def _is_inexact(array: Array) -> bool:
    # TensorFlow's own float types, such as bfloat16, are no subtypes of numpy's.
    return bool(np.issubdtype(array.dtype, np.inexact)) or "float" in array.dtype.name
