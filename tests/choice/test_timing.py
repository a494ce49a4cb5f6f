"""Timing in turn: how often contenders are called."""

from __future__ import annotations

import time
from collections import Counter

from tfgraft.choice.timing import compare


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
    assert min(calls.values()) >= 5 * 64, "a slice of 4 milliseconds has as many of them as are allowed"
