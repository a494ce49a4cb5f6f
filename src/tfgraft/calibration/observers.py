"""Observers: how a symmetric range is made of what was observed of a tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tfgraft.calibration.histogram import BINS
from tfgraft.calibration.statistics import Statistics
from tfgraft.errors import nearest

SIGNED, UNSIGNED = 127, 255
"""Steps between zero and the largest value of int8 and uint8."""
_CANDIDATES = 128
"""How many thresholds are tried."""
_TINY = 1e-12


@runtime_checkable
class Observer(Protocol):
    """Chooses the largest magnitude that a quantized tensor can hold; larger ones are clipped to it."""

    def threshold(self, seen: Statistics, levels: int = SIGNED) -> float:
        """Return the threshold, 0 if only zeros were seen.

        Args:
            seen: what was observed.
            levels: how many steps there are between zero and the threshold: `SIGNED` or `UNSIGNED`.
        """
        ...


@dataclass(frozen=True)
class Max:
    """The largest magnitude seen: nothing is clipped, and one outlier makes all steps large."""

    def threshold(self, seen: Statistics, levels: int = SIGNED) -> float:
        """See `Observer`."""
        return seen.bound


@dataclass(frozen=True)
class Percentile:
    """The magnitude that `percentile` percent of the elements do not exceed."""

    percentile: float = 99.99

    def __post_init__(self) -> None:
        if not 0 < self.percentile <= 100:
            raise ValueError(f"a percentile is above 0 and at most 100, not {self.percentile!r}")

    def threshold(self, seen: Statistics, levels: int = SIGNED) -> float:
        """See `Observer`."""
        histogram = seen.histogram
        if self.percentile == 100 or not histogram.width:
            return seen.bound
        upto = np.cumsum(histogram.counts)
        last = int(np.searchsorted(upto, upto[-1] * self.percentile / 100))
        return min((last + 1) * histogram.width, seen.bound)


@dataclass(frozen=True)
class Mse:
    """The threshold with the least mean squared error between elements and what they are quantized to."""

    def threshold(self, seen: Statistics, levels: int = SIGNED) -> float:
        """See `Observer`."""
        width = seen.histogram.width
        if not width:
            return seen.bound
        counts = seen.histogram.counts.astype(np.float64)
        # In bins, where nothing overflows, and up to the last one: beyond it is what the sample missed.
        largest = min(seen.bound / width, float(np.flatnonzero(counts)[-1] + 1))
        centers = np.arange(BINS) + 0.5
        tried = largest * np.arange(1, _CANDIDATES + 1) / _CANDIDATES
        steps = (tried / levels)[:, None]
        quantized = np.minimum(np.round(centers / steps), levels) * steps
        errors = ((quantized - centers) ** 2) @ counts
        return min(float(tried[int(errors.argmin())]) * width, seen.bound)


@dataclass(frozen=True)
class Entropy:
    """The threshold whose quantized distribution loses the least information (Kullback-Leibler divergence).

    The algorithm is that of Szymon Migacz, "8-bit Inference with TensorRT", GTC 2017: the distribution up to the
    threshold, what is beyond it added to its last bin, is compared with itself merged into as many bins as there are
    quantized values.
    """

    def threshold(self, seen: Statistics, levels: int = SIGNED) -> float:
        """See `Observer`."""
        if not seen.histogram.width:
            return seen.bound
        counts = seen.histogram.counts.astype(np.float64)
        # Zeros are exact whatever the threshold, and after a ReLU there are so many that nothing else would count.
        counts[0] = min(counts[0], counts[1])
        if not counts.any():
            return seen.bound
        used = int(np.flatnonzero(counts)[-1]) + 1
        values = levels + 1
        if used <= values:  # a quantized value for each bin
            return seen.bound
        ends = np.unique(np.linspace(values, used, min(_CANDIDATES, used - values + 1)).astype(int))
        losses = [_divergence(counts, int(end), values) for end in ends]
        best = int(ends[int(np.argmin(losses))])
        return min(best * seen.histogram.width, seen.bound)


def _divergence(counts: NDArray[np.float64], end: int, values: int) -> float:
    inside = counts[:end]
    wanted = inside.copy()
    wanted[-1] += counts[end:].sum()
    places = np.arange(end) * values // end
    filled = inside > 0
    sums, sizes = np.bincount(places, inside, values), np.bincount(places, filled, values)
    spread = np.where(filled, (sums / np.maximum(sizes, 1))[places], 0.0)
    p, q = wanted / wanted.sum(), spread / max(spread.sum(), _TINY)
    there = p > 0
    return float((p[there] * np.log(p[there] / np.maximum(q[there], _TINY))).sum())


OBSERVERS: dict[str, type[Any]] = {"max": Max, "percentile": Percentile, "mse": Mse, "entropy": Entropy}
"""The observers by the names that users write."""


def observer_of(observer: str | Observer) -> Observer:
    """Return an observer by name, or as it is given.

    Raises:
        ValueError: there is no observer of that name.
    """
    if not isinstance(observer, str):
        if isinstance(observer, Observer):
            return observer
        raise ValueError(
            f"an observer is one of {', '.join(OBSERVERS)} or an object with threshold(), not {observer!r}"
        )
    if observer not in OBSERVERS:
        hint = nearest(observer, OBSERVERS)
        raise ValueError(f"there is no observer {observer!r}; there are {', '.join(OBSERVERS)}. {hint}".rstrip())
    made: Observer = OBSERVERS[observer]()
    return made
