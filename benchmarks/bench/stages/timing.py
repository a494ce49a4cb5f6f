"""Stage: everybody that works, timed in interleaved rounds in one process, under TensorFlow's default settings."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import tensorflow as tf

import tfgraft.runtime  # noqa: F401 (registers the engine op)
from benchmarks.bench.calls import litert_call, openvino_call
from benchmarks.bench.contenders import CONTENDERS, PREDICTOR, TENSORFLOW
from benchmarks.bench.files import made
from benchmarks.bench.stages.agree import agrees
from benchmarks.zoo.results import machine
from benchmarks.zoo.run import BASELINES
from benchmarks.zoo.stages import baseline
from benchmarks.zoo.stages.calls import Call, read_graph, tensorflow_call
from benchmarks.zoo.stages.job import Job
from benchmarks.zoo.stages.speed import best_peer
from benchmarks.zoo.stages.timing import SETTLE_S, SLICE_S, SLOW_S, time_calls
from tfgraft.load.model import LoadedModel, NamedTensor
from tfgraft.predictor import Predictor

PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "tf2onnx", "onnxruntime", "openvino", "ai-edge-litert", "numpy")
Rounds = list[float | None]
_LEAST = 5
"""Rounds, however long they take."""
_CLOSE = 1.25
"""How many times as long as the quickest a contender takes at most that is timed on."""
_FIRST = 1 / 3
"""The share of the time that rounds of all contenders get."""
_MOST = 100
"""Rounds of those that are close."""


def run(job: Job) -> dict[str, Any]:
    """Time TensorFlow, called by its fastest way, and the options' `contenders`; about `seconds` long.

    After `rounds` of all, TensorFlow and those that are close to the quickest go on: a shared machine's rounds differ
    by a fifth, so a few cannot tell contenders apart that differ by a twentieth. Where the options have the rounds of
    an earlier run, `before`, only these go on, and medians are of all rounds.

    tfgraft's contenders are called as the original is and, where engines compute the whole model, by `predictor()`
    too, as "NAME predictor".

    Returns:
        "rounds_ms": by contender, null for rounds that it did not take part in; "ms": their medians; "method" and
        "inter": how TensorFlow was called.
    """
    load = os.getloadavg()[0]
    ways = baseline.run(replace(job, options={"ways": BASELINES}))["ways"]
    method, inter, _ = min(ways, key=lambda way: float(way[2]))
    result: dict[str, Any] = {"method": method, "inter": inter, "load": round(load, 2), "machine": machine(PACKAGES)}
    result["threads"] = job.threads
    calls = {TENSORFLOW: _graph_call(job, TENSORFLOW, method, inter)}
    result["error"] = agrees(job, calls[TENSORFLOW]())["error"]
    before: dict[str, Rounds] = job.options.get("before", {})
    wanted = {_base(name) for name in _close(before)} if before else set(job.options["contenders"])
    names = [name for name in CONTENDERS if name in wanted]
    # Of two that are the same the one that is made first may be slower for as long as the process lives.
    random.Random(max(map(len, before.values()), default=0)).shuffle(names)
    for name in names:
        if name == "tf2onnx":
            result["peer_setting"], calls[name] = best_peer(job)
        elif name == "openvino":
            calls[name] = openvino_call(made(job, name), job.outputs, job.feed(), intra=job.threads)
        elif name == "litert":
            calls[name] = litert_call(made(job, name), job.feed(), intra=job.threads)
        else:
            calls[name] = _graph_call(job, name, method, inter)
            if (direct := _direct_call(job, name)) is not None:
                calls[f"{name} {PREDICTOR}"] = direct
    seconds = job.options["seconds"]
    times = before or _timed(calls, calls, _rounds(calls, seconds * _FIRST, job.rounds))
    close = {name: calls[name] for name in _close(times) if name in calls}
    if len(close) > 1:
        more = _timed(close, times, _rounds(close, seconds * (1 - _FIRST), _MOST))
        times = {name: [*values, *more[name]] for name, values in times.items()}
    result["ms"] = {name: statistics.median(_of(values)) for name, values in times.items()}
    result["rounds_ms"] = times
    return result


def _timed(calls: dict[str, Call], names: Iterable[str], rounds: int) -> dict[str, Rounds]:
    """Return the milliseconds of so many rounds; None for those that do not take part."""
    times = time_calls(calls, rounds=rounds)
    return {name: [round(1000 * s, 4) for s in times[name]] if name in times else [None] * rounds for name in names}


def _of(values: Rounds) -> list[float]:
    return [value for value in values if value is not None]


def _close(times: Mapping[str, Rounds]) -> list[str]:
    """Return TensorFlow and who is not far from the quickest in float32, or was not in its better rounds."""
    limit = _CLOSE * min(statistics.median(_of(values)) for name, values in times.items() if _is_float(name))
    return [name for name, values in times.items() if name == TENSORFLOW or _better_half(_of(values)) <= limit]


def _better_half(values: list[float]) -> float:
    """Return the median of the better half: of a few rounds on a shared machine, some are twice as long."""
    return statistics.median(sorted(values)[: (len(values) + 1) // 2])


def _is_float(name: str) -> bool:
    return name == TENSORFLOW or CONTENDERS[_base(name)].precision == "FP32"


def _base(name: str) -> str:
    return name.removesuffix(f" {PREDICTOR}")


def _graph_call(job: Job, name: str, method: str, inter: int) -> Call:
    """Return the call of a TensorFlow graph: as the original is called, or by default if it cannot be."""
    graph_def = read_graph(job.graph if name == TENSORFLOW else made(job, name))
    call = tensorflow_call(graph_def, job.outputs, job.feed(), method=method, intra=job.threads, inter=inter)
    try:
        call()
    except tf.errors.OpError:
        if method == "session":
            raise
        call = tensorflow_call(graph_def, job.outputs, job.feed(), method="session", intra=job.threads, inter=1)
    return call


def _direct_call(job: Job, name: str) -> Call | None:
    """Return the call of a grafted graph's `predictor()`; None where it would not go straight to the engine."""
    graph_def, feed = read_graph(made(job, name)), job.feed()
    inputs = tuple(
        NamedTensor(key, "string" if value.dtype.hasobject else value.dtype.name, None) for key, value in feed.items()
    )
    loaded = LoadedModel(graph_def, inputs, tuple(NamedTensor(key, "float32", None) for key in job.outputs))
    predict, values = Predictor(graph_def, loaded, lambda: None), list(feed.values())
    return (lambda: predict(*values)) if predict.is_direct else None


def _rounds(calls: dict[str, Call], seconds: float, most: int) -> int:
    return max(_LEAST, min(most, int(seconds / _round_seconds(calls))))


def _round_seconds(calls: dict[str, Call]) -> float:
    """Return about how long one round takes."""
    total = 0.0
    for call in calls.values():
        call()
        start = time.perf_counter()
        call()
        once = time.perf_counter() - start
        total += SETTLE_S + max(once, SLICE_S) + (once if once < SLOW_S else 0)
    return total
