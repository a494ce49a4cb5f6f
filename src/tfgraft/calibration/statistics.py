"""Statistics: what calibration knows of one tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.calibration.histogram import BINS, Histogram


@dataclass(frozen=True)
class Statistics:
    """What was observed of one tensor.

    Args:
        count: how many elements it had in all feeds together.
        invalid: how many of them were NaN or infinite; they count for nothing else.
        lowest, highest: the exact extremes; (inf, -inf) if nothing finite was seen.
        histogram: of the magnitudes of a sample of the elements.
    """

    count: int = 0
    invalid: int = 0
    lowest: float = math.inf
    highest: float = -math.inf
    histogram: Histogram = field(default_factory=Histogram)

    @classmethod
    def of(cls, values: NDArray[Any]) -> Statistics:
        """Return the statistics of an array of floats, all its elements in the histogram."""
        finite = values[np.isfinite(values)]
        if not finite.size:
            return cls(values.size, values.size)
        extremes = float(finite.min()), float(finite.max())
        return cls(values.size, values.size - finite.size, *extremes, Histogram.of(finite))

    @property
    def bound(self) -> float:
        """The largest magnitude; 0 if nothing finite was seen."""
        return max(-self.lowest, self.highest, 0.0) if self.count > self.invalid else 0.0

    def merged(self, other: Statistics) -> Statistics:
        """Return the statistics of both together."""
        return Statistics(
            self.count + other.count,
            self.invalid + other.invalid,
            min(self.lowest, other.lowest),
            max(self.highest, other.highest),
            self.histogram.merged(other.histogram),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the statistics as plain data for JSON; empty bins at the end are left out."""
        counts = self.histogram.counts
        used = int(np.flatnonzero(counts)[-1]) + 1 if counts.any() else 0
        seen = self.count > self.invalid
        return {
            "count": self.count,
            "invalid": self.invalid,
            "lowest": self.lowest if seen else None,
            "highest": self.highest if seen else None,
            "exponent": self.histogram.exponent,
            "counts": counts[:used].tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Statistics:
        """Read back what `to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        counts = np.zeros(BINS, np.int64)
        counts[: len(data["counts"])] = data["counts"]
        lowest, highest = data["lowest"], data["highest"]
        return cls(
            int(data["count"]),
            int(data["invalid"]),
            math.inf if lowest is None else float(lowest),
            -math.inf if highest is None else float(highest),
            Histogram(int(data["exponent"]), counts),
        )
