"""Stage: TensorFlow's fastest way of running the original graph."""

from __future__ import annotations

import statistics
from typing import Any

import tensorflow as tf

from benchmarks.zoo.stages.calls import Call, read_graph, tensorflow_call
from benchmarks.zoo.stages.job import Job
from benchmarks.zoo.stages.timing import time_calls


def run(job: Job) -> dict[str, Any]:
    """Time the ways of calling in the job's option `ways`, a list of [method, inter-op threads].

    Returns:
        "ways": [method, inter, median ms] of those that work; a way that TensorFlow refuses is left out.
    """
    ways: list[tuple[str, int]] = [tuple(way) for way in job.options["ways"]]
    tf.config.threading.set_intra_op_parallelism_threads(job.threads)
    tf.config.threading.set_inter_op_parallelism_threads(ways[0][1])
    graph_def, feed = read_graph(job.graph), job.feed()
    calls: dict[str, Call] = {}
    for method, inter in ways:
        try:
            call = tensorflow_call(graph_def, job.outputs, feed, method=method, intra=job.threads, inter=inter)
            call()
        except tf.errors.OpError:
            continue
        calls[f"{method} {inter}"] = call
    times = time_calls(calls, rounds=max(3, job.rounds // 3))
    medians = {name: 1000 * statistics.median(values) for name, values in times.items()}
    return {"ways": [[m, i, medians[f"{m} {i}"]] for m, i in ways if f"{m} {i}" in medians]}
