"""Running graphs and timing them in turn."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from benchmarks.zoo.built import Array

Run = Callable[[Mapping[str, Array]], list[Array]]
_LEAST = 10
"""Rounds, however long they take."""
_SLICE = 0.05
"""Seconds of a contender in a round: a single call is at the mercy of what the last sleep did to the processor."""
_SETTLE = 0.15
"""Seconds after which the last contender's threads no longer spin; those of ONNX Runtime do so for 0.1 by default."""


def runner(graph_def: Any, loaded: Any, threads: int = 0) -> Run:
    """Return a function that runs a graph, with engines or without, on a feed: through a Session's prepared call."""
    import tfgraft.runtime  # noqa: F401 (registers the engine op)

    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
    session = tf.compat.v1.Session(graph=graph, config=config)
    names = [spec.name for spec in loaded.inputs]
    options = config_pb2.CallableOptions(feed=names, fetch=list(loaded.output_names))
    call = session._make_callable_from_options(options)

    def run(feed: Mapping[str, Array]) -> list[Array]:
        return list(call(*(feed[name] for name in names)))

    run.session = session  # type: ignore[attr-defined]
    return run


def in_turn(
    runs: Mapping[str, Run],
    feed: Mapping[str, Array],
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time contenders in turn and return the milliseconds of each by a clock, the mean of a round's calls.

    Each round has an order of its own, so that nobody always follows the same one.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    counts = {name: _calls_of_a_slice(run, feed) for name, run in runs.items()}
    shuffle, order = random.Random(len(runs)).shuffle, list(runs)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[order[0]]) < _LEAST:
        shuffle(order)
        for name in order:
            run, count = runs[name], counts[name]
            time.sleep(_SETTLE)
            run(feed)  # the caches are the last contender's
            start = clock()
            for _ in range(count):
                run(feed)
            times[name].append(1000 * (clock() - start) / count)
    return times


def _calls_of_a_slice(run: Run, feed: Mapping[str, Array]) -> int:
    """Warm a contender up, and say how many calls fill a slice."""
    for _ in range(3):
        run(feed)
    start = time.perf_counter()
    run(feed)
    return max(1, min(100, int(_SLICE / (time.perf_counter() - start))))


def ratio(times: Mapping[str, list[float]], slow: str, fast: str) -> float:
    """Return how many times as fast one contender is as another: the median over rounds."""
    return statistics.median(a / b for a, b in zip(times[slow], times[fast], strict=True))
