"""Stage: original, grafted and peer, timed in interleaved rounds under TensorFlow's default settings."""

from __future__ import annotations

import statistics
from typing import Any

import tensorflow as tf

from benchmarks.zoo.stages.calls import Call, onnxruntime_call, read_graph, tensorflow_call
from benchmarks.zoo.stages.job import Job
from benchmarks.zoo.stages.timing import time_calls


def run(job: Job) -> dict[str, Any]:
    """Time the contenders; options: `method` and `inter` for both TensorFlow graphs, `grafted` and `peer` to take part.

    Returns:
        "ms": medians by contender; the peer's is the better of its two settings, `peer_setting`.
    """
    method, inter = job.options["method"], job.options["inter"]
    tf.config.threading.set_intra_op_parallelism_threads(job.threads)
    tf.config.threading.set_inter_op_parallelism_threads(inter)
    feed = job.feed()
    calls: dict[str, Call] = {}
    graphs = {"tensorflow": job.graph}
    if job.options["grafted"]:
        import tfgraft.runtime  # noqa: F401 (registers the engine op)

        graphs["tfgraft"] = job.grafted
    for name, path in graphs.items():
        calls[name] = tensorflow_call(
            read_graph(path), job.outputs, feed, method=method, intra=job.threads, inter=inter
        )
    result: dict[str, Any] = {"method": method, "inter": inter}
    if job.options["peer"]:
        result["peer_setting"], calls["peer"] = best_peer(job)
    times = time_calls(calls, rounds=job.rounds)
    result["ms"] = {name: 1000 * statistics.median(values) for name, values in times.items()}
    result["rounds_ms"] = {name: [round(1000 * value, 4) for value in values] for name, values in times.items()}
    return result


def best_peer(job: Job) -> tuple[str, Call]:
    """Return the faster one of the settings of the whole-graph ONNX model, and its call."""
    calls = {
        setting: onnxruntime_call(job.onnx, job.outputs, job.feed(), intra=job.threads, quiet=quiet)
        for setting, quiet in (("default", False), ("one inter-op thread, no spinning", True))
    }
    times = time_calls(calls, rounds=5)
    best = min(times, key=lambda setting: statistics.median(times[setting]))
    return best, calls[best]
