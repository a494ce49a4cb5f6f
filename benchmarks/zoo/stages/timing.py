"""Interleaved timing of contenders."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Mapping

from benchmarks.zoo.stages.calls import Call

# A round's slice for each contender: long enough that the clock and one stray interrupt do not matter, nor that a
# virtual processor that has been idle takes some hundred calls before it wakes as quickly as threads need it.
SLICE_S = 0.1
_MOST_CALLS = 5000
# From here on it does not matter what is in the caches.
SLOW_S = 1.0
# The last contender's threads spin no longer then; those of ONNX Runtime do so for 0.1 s by default, and whatever
# is timed beside them is a fifth slower.
SETTLE_S = 0.15


def time_calls(contenders: Mapping[str, Call], *, rounds: int) -> dict[str, list[float]]:
    """Return each contender's seconds a call, one median a round.

    Each round has an order of its own: in a fixed one, who follows a contender that leaves threads awake or caches cold
    would be slower in every round.
    """
    found = {name: _warmed(call) for name, call in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    shuffle, order = random.Random(rounds).shuffle, list(contenders)
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            call = contenders[name]
            time.sleep(SETTLE_S)
            count, once = found[name]
            if once < SLOW_S:
                call()  # the caches are the last contender's: one call that does not count
            times[name].append(statistics.median(_timed(call) for _ in range(count)))
    return times


def _timed(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _warmed(call: Call) -> tuple[int, float]:
    """Warm a contender up (graphs are optimized at first calls); return the calls that fill a slice, and seconds."""
    for _ in range(3):
        once = _timed(call)
    if once < SLOW_S:
        once = min(_timed(call) for _ in range(3))
    return max(1, min(_MOST_CALLS, int(SLICE_S / once))), once
