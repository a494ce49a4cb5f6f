"""Rows in numbers: ratios to TensorFlow's time, the best peer, means."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.bench.contenders import PEERS, PREDICTOR, TENSORFLOW
from benchmarks.zoo.results import geometric_mean

Measured = Mapping[str, Any]


def failure(row: Measured, contender: str) -> str | None:
    """Why a contender counts as a failure, or None if it works or did not take part."""
    result = row.get("made", {}).get(contender)
    if result is None:
        return None
    if result["status"] != "ok":
        return f"{result['status']}: {result['why']}"
    if not result["agrees"]:
        unequal = f", not equal: {', '.join(result['unequal'])}" if result["unequal"] else ""
        error = result["error"]
        return f"wrong: error {error if isinstance(error, str) else format(error, '.1e')}{unequal}"
    return None


def timed(row: Measured) -> bool:
    """Say whether the row has times."""
    return row.get("timing", {}).get("status") == "ok"


def paired(row: Measured, slow: str, fast: str) -> float | None:
    """Return how many times as fast one way of calling is as another: the median over the rounds of both.

    A shared machine is slower at one time than at another, and not everybody was timed at all times.
    """
    rounds: Mapping[str, list[float | None]] = row["timing"]["rounds_ms"]
    if slow not in rounds or fast not in rounds:
        return None
    return statistics.median(a / b for a, b in zip(rounds[slow], rounds[fast], strict=True) if a and b)


def ratio(row: Measured, contender: str) -> float | None:
    """TensorFlow's time over a contender's; 1 if it failed, None if it did not take part."""
    return 1.0 if failure(row, contender) else paired(row, TENSORFLOW, contender)


def best_peer(row: Measured) -> tuple[str | None, float]:
    """Return the fastest peer of those that are right, and its ratio; (None, 1.0) if none is."""
    works = [name for name in PEERS if name in row["timing"]["rounds_ms"]]
    if not works:
        return None, 1.0
    best = max(works, key=lambda name: ratio(row, name) or 0.0)
    return best, ratio(row, best) or 1.0


def direct(row: Measured, contender: str) -> float | None:
    """TensorFlow's time over that of a contender's predictor; None if that would not go straight to an engine."""
    return None if failure(row, contender) else ratio(row, f"{contender} {PREDICTOR}")


def quickest(row: Measured, contender: str) -> float | None:
    """Return a contender's ratio by the fastest way of calling it that there is, as it is found for TensorFlow."""
    return max((value for value in (ratio(row, contender), direct(row, contender)) if value is not None), default=None)


def against_best(row: Measured, contender: str) -> float | None:
    """Return how many times as fast as the best peer a contender is; as TensorFlow where no peer is right."""
    own, (best, peers) = quickest(row, contender), best_peer(row)
    if own is None or failure(row, contender):
        return None if own is None else own / peers
    way = contender if ratio(row, contender) == own else f"{contender} {PREDICTOR}"
    return paired(row, best or TENSORFLOW, way)


def mean(rows: Iterable[Measured], contender: str) -> float | None:
    """Return the geometric mean of a contender's ratios over the rows with times in which it took part."""
    found = (ratio(row, contender) for row in rows if timed(row))
    return geometric_mean(value for value in found if value is not None)


def mean_of_quickest(rows: Iterable[Measured], contender: str) -> float | None:
    """Return the geometric mean of a contender's ratios by its fastest way of being called."""
    found = (quickest(row, contender) for row in rows if timed(row))
    return geometric_mean(value for value in found if value is not None)


def mean_of_best(rows: Iterable[Measured]) -> float | None:
    """Return the geometric mean of the best peers' ratios."""
    return geometric_mean(best_peer(row)[1] for row in rows if timed(row))
