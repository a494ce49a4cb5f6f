"""Histograms of magnitudes that can be merged exactly, in any order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 2048
_DOUBLINGS = BINS.bit_length() - 1
_LEAST = -1074
"""The exponent of the smallest float64: the range of a histogram of zeros."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of magnitudes in `BINS` bins of equal width from 0 to 2**exponent.

    The range being a power of two, a histogram of a larger range is had by adding neighbouring bins, and what is
    merged is the same as if all values had been counted at once.

    Args:
        exponent: no value reaches 2**exponent.
        counts: int64, (BINS,).
    """

    exponent: int = _LEAST
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64), repr=False)

    @classmethod
    def of(cls, values: NDArray[Any]) -> Histogram:
        """Count the magnitudes of finite values of any shape."""
        magnitudes = np.abs(np.ravel(values))
        if magnitudes.dtype != np.float32:
            magnitudes = magnitudes.astype(np.float64, copy=False)
        largest = float(magnitudes.max(initial=0.0))
        exponent = int(np.frexp(largest)[1]) if largest > 0 else _LEAST
        # A power of two is an exact factor (what underflows is in the first bin), and ldexp takes ten times as long.
        by = _DOUBLINGS - exponent
        if by < np.finfo(magnitudes.dtype).maxexp:
            places = magnitudes * magnitudes.dtype.type(2.0**by)
        else:
            places = np.ldexp(magnitudes.astype(np.float64), by)
        # Half the width of what bincount works with, but converted at a quarter of the time.
        return cls(exponent, np.bincount(places.astype(np.int32), minlength=BINS))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Histogram)
            and self.exponent == other.exponent
            and np.array_equal(self.counts, other.counts)
        )

    @property
    def total(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum())

    @property
    def width(self) -> float:
        """The width of a bin; 0 if there is nothing but zeros."""
        return float(np.ldexp(1.0, self.exponent - _DOUBLINGS))

    def merged(self, other: Histogram) -> Histogram:
        """Return the histogram of the values of both."""
        exponent = max(self.exponent, other.exponent)
        return Histogram(exponent, self._widened(exponent) + other._widened(exponent))

    def _widened(self, exponent: int) -> NDArray[np.int64]:
        by = min(exponent - self.exponent, _DOUBLINGS)
        if not by:
            return self.counts
        counts = np.zeros(BINS, np.int64)
        counts[: BINS >> by] = self.counts.reshape(BINS >> by, 1 << by).sum(1)
        return counts
