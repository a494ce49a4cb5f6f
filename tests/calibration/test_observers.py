"""Histograms that merge exactly, and thresholds made of them."""

from __future__ import annotations

import numpy as np
import pytest

from tfgraft.calibration.histogram import BINS, Histogram
from tfgraft.calibration.observers import SIGNED, UNSIGNED, Entropy, Max, Mse, Percentile, observer_of
from tfgraft.calibration.statistics import Statistics

_R = np.random.default_rng(0)
PARTS = [_R.standard_normal(1000).astype(np.float32) * scale for scale in (1e-30, 1e-3, 1.0, 1.0, 2.0**10, 1e20)] + [
    np.zeros(10, np.float32),
    np.array([2.0, 4.0, 8.0], np.float32),
    np.array([5e-324]),
]


def test_merging_is_counting_at_once_whatever_the_order() -> None:
    whole = Histogram.of(np.concatenate([np.asarray(p, np.float64) for p in PARTS]))
    for order in (range(len(PARTS)), reversed(range(len(PARTS))), _R.permutation(len(PARTS))):
        merged = Histogram()
        for i in order:
            merged = merged.merged(Histogram.of(PARTS[i]))
        assert merged.exponent == whole.exponent
        np.testing.assert_array_equal(merged.counts, whole.counts)


@pytest.mark.parametrize("values", [[], [0.0], [1.0], [-3.5, 3.5], [5e-324], [1e308]])
def test_every_value_is_in_a_bin(values: list[float]) -> None:
    histogram = Histogram.of(np.array(values))
    assert histogram.total == len(values)
    assert histogram.counts.shape == (BINS,)
    if values and max(map(abs, values)) > 0:
        assert max(map(abs, values)) < 2.0**histogram.exponent if histogram.exponent < 1024 else True


NORMAL = Statistics.of(_R.standard_normal(100_000).astype(np.float32))


def _loss(values: np.ndarray, threshold: float, levels: int = SIGNED) -> float:
    step = threshold / levels
    return float(((np.clip(np.round(values / step), -levels, levels) * step - values) ** 2).mean())


@pytest.mark.parametrize("levels", [SIGNED, UNSIGNED])
def test_mse_loses_no_more_than_the_others(levels: int) -> None:
    values = np.random.default_rng(1).laplace(size=200_000).astype(np.float32)
    seen = Statistics.of(values)
    losses = {kind: _loss(values, kind().threshold(seen, levels), levels) for kind in (Max, Percentile, Mse, Entropy)}
    assert losses[Mse] <= 1.02 * min(losses.values())
    assert losses[Mse] < 0.8 * losses[Max]


def test_a_percentile_cuts_an_outlier_off() -> None:
    values = np.concatenate([_R.uniform(-1, 1, 1_000_000), [1000.0]]).astype(np.float32)
    seen = Statistics.of(values)
    assert Max().threshold(seen) == 1000.0
    assert Percentile(99.99).threshold(seen) == pytest.approx(1.0, abs=0.6)  # a bin is half wide
    assert Percentile(100).threshold(seen) == 1000.0


def test_entropy_is_not_drowned_by_zeros() -> None:
    values = np.maximum(_R.standard_normal(200_000), 0).astype(np.float32)
    assert Entropy().threshold(Statistics.of(values)) > 3


def test_entropy_cuts_a_long_tail() -> None:
    values = np.concatenate([_R.standard_normal(500_000), [500.0]]).astype(np.float32)
    assert Entropy().threshold(Statistics.of(values)) < 400


@pytest.mark.parametrize("kind", [Max, Percentile, Mse, Entropy])
@pytest.mark.parametrize(
    ("values", "least", "most"),
    [
        ([], 0, 0),
        ([0, 0], 0, 0),
        ([0.25], 0.25, 0.25),
        ([-3, 3, -3], 3, 3),
        ([1e-40], 0, 1e-39),
        ([1, 2, 3], 2.5, 3),
        ([3e38], 2.9e38, 3.1e38),
    ],
)
def test_odd_tensors(kind: type, values: list[float], least: float, most: float) -> None:
    threshold = kind().threshold(Statistics.of(np.array(values, np.float32)))
    assert least * 0.99 <= threshold <= most * 1.01


def test_what_is_not_finite_is_counted_and_left_out() -> None:
    seen = Statistics.of(np.array([1, np.nan, -2, np.inf, -np.inf], np.float32))
    assert (seen.count, seen.invalid, seen.lowest, seen.highest, seen.bound) == (5, 3, -2, 1, 2)
    nothing = Statistics.of(np.array([np.nan], np.float32))
    assert (nothing.invalid, nothing.bound) == (1, 0)
    assert nothing.merged(seen).bound == 2


def test_names_of_observers() -> None:
    assert observer_of("mse") == Mse()
    assert observer_of(Percentile(99)) == Percentile(99)
    with pytest.raises(ValueError, match=r"there is no observer 'entropi'.*'entropy'"):
        observer_of("entropi")
    with pytest.raises(ValueError, match="object with threshold"):
        observer_of(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="above 0 and at most 100"):
        Percentile(0)
