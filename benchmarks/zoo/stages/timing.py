"""Interleaved timing of contenders."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

from benchmarks.zoo.stages.calls import Call

# A round's slice for each contender: long enough that the clock and one stray interrupt do not matter.
SLICE_S = 0.1
# The last contender's threads spin no longer then; those of ONNX Runtime do so for 0.1 s by default, and whatever
# is timed beside them is a fifth slower.
SETTLE_S = 0.15


def time_calls(contenders: Mapping[str, Call], *, rounds: int) -> dict[str, list[float]]:
    """Return each contender's seconds a call, one median a round; rounds go A B C, A B C, and so on."""
    counts = {name: _calls_in_slice(call) for name, call in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            time.sleep(SETTLE_S)
            # The caches are the last contender's: one call that does not count.
            call()
            times[name].append(statistics.median(_timed(call) for _ in range(counts[name])))
    return times


def _timed(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _calls_in_slice(call: Call) -> int:
    """Warm a contender up (graphs are optimized at the first calls) and say how many calls fill a slice."""
    for _ in range(3):
        call()
    return max(1, min(200, int(SLICE_S / min(_timed(call) for _ in range(3)))))
