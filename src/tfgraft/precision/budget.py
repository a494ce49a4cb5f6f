"""Accuracy budgets: how much a model may lose, by a metric of the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tfgraft.distance import relative_error

Array = NDArray[Any]
Feed = Any
"""One feed: a dict of input name to array, a tuple in input order, or the array of the only input."""
Predict = Callable[[Feed], list[Array]]
"""Runs a model on one feed; returns its outputs in order."""
Metric = Callable[[Predict], float]
"""Scores a model, the higher the better: it runs it on data of its own by calling `predict`."""


@runtime_checkable
class Comparing(Protocol):
    """A metric that scores a model by how near it is to the original one, so that it needs no labels."""

    def against(self, original: Predict) -> Metric:
        """Return the metric, given the original model; it scores the original itself with its best score."""
        ...


@dataclass(frozen=True)
class Budget:
    """How much of a metric a model may lose by computing in lower precision.

    Args:
        metric: a function of a `Predict` that gives a score, higher being better, such as the accuracy on labelled
            data; or one of `Agreement` and `Fidelity`, which compare with the original model and need no labels.
        max_drop: how much lower the score may be than that of the original model, in the metric's unit.
        ranking: how many feeds of the calibration data layers are ranked on.
    """

    metric: Metric | Comparing
    max_drop: float
    ranking: int = 4

    def __post_init__(self) -> None:
        if not (callable(self.metric) or isinstance(self.metric, Comparing)):
            raise ValueError(
                "Budget's metric is a function that takes `predict` (which runs a model on a feed and returns its "
                f"outputs) and returns a score, not {self.metric!r}"
            )
        if not self.max_drop >= 0:
            raise ValueError(f"Budget's max_drop is a number, 0 or more, not {self.max_drop!r}")
        if self.ranking < 1:
            raise ValueError(f"Budget's ranking is a number of feeds, 1 or more, not {self.ranking!r}")

    def bound(self, original: Predict) -> Metric:
        """Return the metric as a plain function, given the original model."""
        metric = self.metric
        scorer: Metric = metric.against(original) if isinstance(metric, Comparing) else metric

        def score(predict: Predict) -> float:
            value = float(scorer(predict))
            if np.isnan(value):
                raise ValueError("the metric gave no number (NaN)")
            return value

        return score


@dataclass(frozen=True)
class Agreement:
    """The share of decisions, 0 to 1, in which a model agrees with the original: a metric without labels.

    Args:
        feeds: what both models run on.
        decide: makes an array of decisions, one for each sample, out of a model's outputs; default the index of the
            largest value along the last axis of the first output.
    """

    feeds: Sequence[Feed] = field(repr=False)
    decide: Callable[[list[Array]], Array] = field(default=lambda outputs: outputs[0].argmax(-1), repr=False)

    def against(self, original: Predict) -> Metric:
        """See `Comparing`."""
        wanted = [np.asarray(self.decide(original(feed))) for feed in self.feeds]
        _not_empty(wanted)

        def score(predict: Predict) -> float:
            equal = [
                np.asarray(self.decide(predict(feed))) == want for feed, want in zip(self.feeds, wanted, strict=True)
            ]
            return float(np.concatenate([np.ravel(e) for e in equal]).mean())

        return score


@dataclass(frozen=True)
class Fidelity:
    """Minus the largest relative L2 error of an output against the original, over all feeds: a metric without labels.

    `Budget(Fidelity(feeds), max_drop=0.01)` bounds the error of every output by 0.01.

    Args:
        feeds: what both models run on.
        outputs: which outputs count, by position; None for all that are floats.
    """

    feeds: Sequence[Feed] = field(repr=False)
    outputs: tuple[int, ...] | None = None

    def against(self, original: Predict) -> Metric:
        """See `Comparing`."""
        wanted = [original(feed) for feed in self.feeds]
        _not_empty(wanted)
        chosen = self.outputs
        if chosen is None:
            chosen = tuple(i for i, value in enumerate(wanted[0]) if np.issubdtype(value.dtype, np.floating))

        def score(predict: Predict) -> float:
            got = [predict(feed) for feed in self.feeds]
            return -max((_error([w[i] for w in wanted], [g[i] for g in got]) for i in chosen), default=0.0)

        return score


def _not_empty(values: Sequence[Any]) -> None:
    if not values:
        raise ValueError("there are no feeds to compare models on")


def _error(wanted: Sequence[Array], got: Sequence[Array]) -> float:
    """Return |got - wanted| / |wanted| over all feeds together; infinite where shapes or values that are NaN differ."""
    if any(w.shape != g.shape for w, g in zip(wanted, got, strict=True)):
        return float("inf")
    return relative_error(*(np.concatenate([np.ravel(part) for part in parts]) for parts in (wanted, got)))


@dataclass(frozen=True)
class CurvePoint:
    """One point of the curve of an accuracy budget.

    Args:
        kept: how many layers compute in float32.
        share: the share of layers in the lower precision, 0 to 1.
        score, drop: the metric, and how much lower it is than the original's.
    """

    kept: int
    share: float
    score: float
    drop: float


@dataclass(frozen=True)
class AccuracyReport:
    """What an accuracy budget came to.

    Args:
        precision: the lower precision.
        baseline: the original's score.
        max_drop: the drop that was allowed.
        curve: what was tried, fewest float32 layers first; scores are of the graph as TensorFlow computes it.
        sensitivity: (layer, the error at the outputs when it alone is in the lower precision), largest first.
        kept: the layers that compute in float32.
        score: the score of the result, with its engines.
    """

    precision: str
    baseline: float
    max_drop: float
    curve: tuple[CurvePoint, ...]
    sensitivity: tuple[tuple[str, float], ...]
    kept: tuple[str, ...]
    score: float

    @property
    def drop(self) -> float:
        """How much lower the result's score is than the original's."""
        return self.baseline - self.score

    @property
    def holds(self) -> bool:
        """Whether the result is within the budget."""
        return self.drop <= self.max_drop

    def plot(self, path: Any) -> None:
        """Draw the curve, drop against share of layers in the lower precision, with matplotlib; see `curve.plot`."""
        from tfgraft.precision.curve import plot

        plot(self, path)

    def to_dict(self) -> Mapping[str, Any]:
        """Return everything as plain data."""
        from dataclasses import asdict

        return {**asdict(self), "drop": self.drop, "holds": self.holds}

    def __str__(self) -> str:
        total = len(self.sensitivity)
        verdict = "within" if self.holds else "MORE THAN"
        return (
            f"accuracy: {self.score:.6g} in {self.precision}, {self.baseline:.6g} originally: "
            f"a drop of {self.drop:.3g}, {verdict} the {self.max_drop:.3g} allowed; "
            f"{len(self.kept)} of {total} layers in float32"
        )
