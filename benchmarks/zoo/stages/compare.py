"""How far outputs are from the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.zoo.built import Array


@dataclass(frozen=True)
class Agreement:
    """The largest relative L2 error of the float outputs, and which of the others are not equal.

    `error` is infinite if a shape differs or a value is not finite where the reference is.
    """

    error: float
    unequal: tuple[str, ...]

    def within(self, tolerance: float) -> bool:
        """Say whether floats agree to `tolerance` and everything else exactly."""
        return self.error <= tolerance and not self.unequal

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; an infinite error is written as text."""
        error: float | str = self.error if np.isfinite(self.error) else "infinite"
        return {"error": error, "unequal": list(self.unequal)}


def agreement(names: Sequence[str], reference: Sequence[Array], outputs: Sequence[Array]) -> Agreement:
    """Compare outputs with the reference, both in the order of `names`."""
    error = 0.0
    unequal = []
    for name, wanted, got in zip(names, reference, outputs, strict=True):
        wanted, got = _strings(np.asarray(wanted)), _strings(np.asarray(got))
        if wanted.dtype.kind == "f" and wanted.shape == got.shape and got.dtype.kind == "f":
            error = max(error, relative_l2(wanted, got))
        elif wanted.dtype.kind == "f":
            error = np.inf
        elif wanted.shape != got.shape or not np.array_equal(wanted, got):
            unequal.append(name)
    return Agreement(float(error), tuple(unequal))


def relative_l2(wanted: Array, got: Array) -> float:
    """Return |got - wanted| / |wanted| over the values; non-finite ones must be the same ones."""
    finite = np.isfinite(wanted)
    if not np.array_equal(wanted[~finite], got[~finite], equal_nan=True) or not np.isfinite(got[finite]).all():
        return np.inf
    exact, found = wanted[finite].astype(np.float64), got[finite].astype(np.float64)
    distance, size = float(np.linalg.norm(found - exact)), float(np.linalg.norm(exact))
    if size == 0:
        return distance
    return distance / size


def _strings(array: Array) -> Array:
    """Bring strings to bytes of fixed length: TensorFlow gives objects, ONNX Runtime text, the file bytes."""
    if array.dtype.kind in "OU":
        return np.array([x.encode() if isinstance(x, str) else x for x in array.ravel()], "S").reshape(array.shape)
    return array
