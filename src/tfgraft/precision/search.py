"""The search for the layers that an accuracy budget needs in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tfgraft.distance import distance
from tfgraft.passes.base import Progress
from tfgraft.precision.budget import Budget, CurvePoint, Metric, Predict
from tfgraft.precision.switchboard import Switchboard

Array = NDArray[Any]


@dataclass(frozen=True)
class Found:
    """What a search found.

    Args:
        metric: the budget's metric.
        baseline: the original's score.
        order: the layers, the most sensitive first, with their sensitivity.
        kept: how many of them are to stay in float32.
        curve: what was tried, fewest float32 layers first.
    """

    metric: Metric
    baseline: float
    order: tuple[tuple[str, float], ...]
    kept: int
    curve: tuple[CurvePoint, ...]


def search(
    board: Switchboard,
    budget: Budget,
    as_feed: Callable[[Any], Mapping[str, Array]],
    feeds: Sequence[Mapping[str, Array]],
    progress: Progress,
) -> Found:
    """Find how many of the most sensitive layers have to stay in float32, for a model to keep within a budget.

    Layers are ranked by the error at the model's outputs when they alone are in the lower precision. The number is
    found by doubling and then halving: a score that does not fall evenly may make it larger than need be, not smaller.

    Args:
        board: the graph with switches.
        budget: the budget.
        as_feed: makes a feed by tensor name of what the metric feeds.
        feeds: what layers are ranked on; without any, they are ranked by the metric itself.
        progress: told about each run of the metric and of the ranking.

    Raises:
        ValueError: the metric gives no number.
    """
    layers = board.layers

    def predictor(keep: Iterable[str]) -> Predict:
        kept = tuple(keep)
        return lambda feed: board.outputs(as_feed(feed), kept)

    metric = budget.bound(predictor(layers))
    baseline = metric(predictor(layers))
    curve: dict[int, CurvePoint] = {}
    order: tuple[tuple[str, float], ...] = ()

    def holds(count: int) -> bool:
        if count not in curve:
            progress("accuracy: trying", len(curve), 0)
            score = metric(predictor(name for name, _ in order[:count]))
            curve[count] = CurvePoint(count, 1 - count / len(layers), score, baseline - score)
        return curve[count].drop <= budget.max_drop

    if holds(0):
        low = 0
    else:
        order = _ranked(board, metric if not feeds else None, predictor, feeds, progress)
        low, high = 0, 1
        while high < len(layers) and not holds(high):
            low, high = high, high * 2
        high = min(high, len(layers))
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if holds(middle) else (middle, high)
        low = high
    if not order:
        order = tuple((name, 0.0) for name in layers)
    return Found(metric, baseline, order, low, tuple(curve[count] for count in sorted(curve)))


def _ranked(
    board: Switchboard,
    metric: Metric | None,
    predictor: Callable[[Iterable[str]], Predict],
    feeds: Sequence[Mapping[str, Array]],
    progress: Progress,
) -> tuple[tuple[str, float], ...]:
    """Return the layers with the error that each alone makes, the largest first."""
    layers = board.layers
    wanted = [board.outputs(feed, layers) for feed in feeds]
    found = []
    for i, layer in enumerate(layers):
        progress("accuracy: ranking layers", i, len(layers))
        others = [name for name in layers if name != layer]
        if metric is not None:
            error = -metric(predictor(others))
        else:
            results = [board.outputs(feed, others) for feed in feeds]
            error = sum(
                distance(w, g)
                for want, got in zip(wanted, results, strict=True)
                for w, g in zip(want, got, strict=True)
            )
        found.append((layer, float(error)))
    return tuple(sorted(found, key=lambda pair: -pair[1]))
