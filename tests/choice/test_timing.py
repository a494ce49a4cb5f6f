"""Timing in turn: how often contenders are called."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from tfgraft.choice import timing
from tfgraft.choice.timing import compare, compare_again


def test_long_calls_are_few() -> None:
    calls: Counter[str] = Counter()

    def long(name: str) -> None:
        calls[name] += 1
        time.sleep(0.25)

    times = compare({"first": lambda: long("first"), "second": lambda: long("second")}, 0.1)
    assert max(calls.values()) <= 3, "two to warm up, and one round that takes longer than the time that there is"
    assert all(comparison.milliseconds >= 250 for comparison in times.values())


def test_short_calls_are_many() -> None:
    calls: Counter[str] = Counter()
    compare({"first": lambda: calls.update("a"), "second": lambda: calls.update("b")}, 0.05)
    assert min(calls.values()) >= 5 * 64, "a slice has many of them"


class Clock:
    """A clock that only calls move."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def _rounds(monkeypatch: pytest.MonkeyPatch, noise: float, other: float) -> int:
    """Return how often the second of two contenders was called: 10 ms and `other`, each with so much noise."""
    clock, random, count = Clock(), Random(2), 0
    monkeypatch.setattr(timing, "time", clock)

    def call(seconds: float) -> None:
        nonlocal count
        count += seconds == other
        clock.now += seconds * (1 + noise * random.uniform(-1, 1))

    compare({"first": lambda: call(0.01), "second": lambda: call(other)}, 0.5, 5.0)
    return count


def test_contenders_that_cannot_be_told_apart_are_timed_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet, noisy, far = (_rounds(monkeypatch, *case) for case in ((0.01, 0.0101), (0.3, 0.0101), (0.3, 0.018)))
    assert noisy >= 3 * quiet, "within 2 % of each other, but nobody knows"
    assert noisy >= 3 * far, "as noisy, and yet clear"


@pytest.mark.parametrize(
    ("first", "then", "wins", "made"),
    [
        pytest.param(11.0, 6.0, True, 1, id="a Session that was slow by chance"),
        pytest.param(11.0, 11.0, False, 1, id="an engine that is slower"),
        pytest.param(20.0, 6.0, False, 0, id="an engine that is hopeless"),
        pytest.param(6.0, 11.0, True, 0, id="an engine that is quicker"),
    ],
)
def test_an_engine_is_given_up_where_it_loses_twice(
    monkeypatch: pytest.MonkeyPatch, first: float, then: float, wins: bool, made: int
) -> None:
    clock, count = Clock(), 0
    monkeypatch.setattr(timing, "time", clock)

    def call(milliseconds: float) -> None:
        clock.now += milliseconds / 1000

    def calls(engine: float) -> dict[str, Callable[[], None]]:
        return {"TensorFlow": lambda: call(10.0), "engine": lambda: call(engine)}

    def anew() -> dict[str, Callable[[], None]]:
        nonlocal count
        count += 1
        return calls(then)

    times = compare_again(calls(first), anew, lambda found: found["engine"].gain > 0, 0.5)
    assert (times["engine"].gain > 0) is wins
    assert count == made
