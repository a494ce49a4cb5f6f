"""Timing contenders in turn, so that what else the machine does meets all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Call = Callable[[], object]
_SLICE = 0.008
"""Seconds that one slice of a contender lasts at least: many calls, if they are short."""
_WARM = 1 / 4
"""The share of a slice's calls that come before it: processors that were idle wake threads late for a while."""
_SETTLE = 0.002
"""Seconds of rest between contenders: engines' threads spin a while after a call."""
_LONG = 0.2
"""Seconds of a call from which on what the caches hold, and one more call to warm up, are not worth the time."""
_LEAST, _ENOUGH, _MOST = 5, 60, 240
"""Rounds: as few at least, as many if the quickest is known by then, and no more in any case."""
_EVEN = 0.02
"""The share of its time by which the quickest may be missed."""
_HOPELESS = 2.0
"""How many times as long as the quickest a contender takes that is not worth more than `_LEAST` rounds."""
_NARROW = 1.3
"""How many times as long as the first a contender takes at most that may yet be quicker."""
_MOST_CALLS = 1000
SIGMAS = 2.0
"""How many standard errors a difference must be to count."""
_SURE = 3.0
"""How many to end for: this is asked after every round, and chance has as many chances."""


@dataclass(frozen=True)
class Comparison:
    """Times of one contender and of the first one, round by round.

    Args:
        milliseconds: its median.
        gain: the median of what it saves against the first one in a round, in milliseconds.
        noise: the standard error of that median, about; in milliseconds.
    """

    milliseconds: float
    gain: float
    noise: float


def compare(calls: Mapping[str, Call], seconds: float, most: float = 0.0) -> dict[str, Comparison]:
    """Time contenders in rounds, A B C A B C, and compare each with the first.

    After five rounds those that take twice as long as the quickest drop out, so that the others, and the first, get
    more of the time.

    Args:
        calls: the contenders; each does the same work.
        seconds: about how long this may take; five rounds are done in any case, unless one takes longer than that.
        most: how long it may take instead while it is not known which one is the quickest, within 2 %.
    """
    counts = {name: _count(call) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    start = time.perf_counter()
    for done in range(_MOST):
        elapsed = time.perf_counter() - start
        if elapsed > max(seconds, most) and (done >= _LEAST or elapsed > 2 * max(seconds, most)):
            break
        if (elapsed > seconds or done >= _ENOUGH) and done >= _LEAST and _is_decided(times):
            break
        for name in _in_the_race(times, done):
            call = calls[name]
            time.sleep(_SETTLE)
            if counts[name]:
                _slice(call, max(1, int(_WARM * counts[name])))  # the caches are the last contender's
            times[name].append(1000 * _slice(call, max(1, counts[name])))
    first = times[next(iter(calls))]
    return {name: _comparison(first, own) for name, own in times.items()}


def compare_again(
    calls: Mapping[str, Call],
    anew: Callable[[], Mapping[str, Call]],
    beaten: Callable[[Mapping[str, Comparison]], bool],
    seconds: float,
    most: float = 0.0,
) -> dict[str, Comparison]:
    """Compare contenders, and others like them if the first one is not beaten but narrowly.

    A Session of TensorFlow's may be slow for as long as it lives, by a fifth or more on a shared machine, which no
    number of rounds can tell. So an engine is given up only where it loses in two of them.

    Args:
        calls: see `compare`.
        anew: makes the calls anew.
        beaten: tells whether somebody beats the first one.
        seconds, most: see `compare`; of each comparison.
    """
    times = compare(calls, seconds, most)
    first, *others = times.values()
    if beaten(times) or min(each.milliseconds for each in others) > _NARROW * first.milliseconds:
        return times
    again = compare(anew(), seconds, most)
    return again if beaten(again) else times


def _in_the_race(times: Mapping[str, list[float]], done: int) -> list[str]:
    """Return the contenders of one more round: the first, and who is not hopeless."""
    first, *others = times
    if done < _LEAST:
        return [first, *others]
    limit = _HOPELESS * min(statistics.median(each[:_LEAST]) for each in times.values())
    return [first, *(name for name in others if statistics.median(times[name][:_LEAST]) <= limit)]


def _is_decided(times: Mapping[str, list[float]]) -> bool:
    """Tell whether the quickest is quicker than each other one beyond the noise, or as quick."""
    best = min(times.values(), key=statistics.median)
    others = [_comparison(own, best) for own in times.values() if own is not best]
    return all(_SURE * o.noise <= max(o.gain, _EVEN * o.milliseconds) for o in others)


def _count(call: Call) -> int:
    """Warm a contender up, and say how many calls make a slice; 0 if a single one is long."""
    call()
    once = _slice(call, 1)
    if once > _LONG:
        return 0
    once = min(once, _slice(call, 1))
    return max(1, min(_MOST_CALLS, int(_SLICE / max(once, 1e-7))))


def _slice(call: Call, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def _comparison(first: list[float], own: list[float]) -> Comparison:
    gains = [a - b for a, b in zip(first, own)]  # noqa: B905 (who drops out has fewer rounds)
    gain = statistics.median(gains) if gains else 0.0
    spread = statistics.median(abs(g - gain) for g in gains) if gains else 0.0
    # A median absolute deviation is 0.67 standard deviations, and a median's error 1.25 times a mean's.
    noise = 1.25 * spread / 0.67 / max(1, len(gains)) ** 0.5
    return Comparison(statistics.median(own) if own else 0.0, gain, noise)
