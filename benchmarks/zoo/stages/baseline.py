"""Stage: TensorFlow's fastest way of running the original graph, for one setting of the inter-op threads."""

from __future__ import annotations

import statistics
from typing import Any

import tensorflow as tf

from benchmarks.zoo.stages.calls import Call, read_graph, tensorflow_call
from benchmarks.zoo.stages.job import Job
from benchmarks.zoo.stages.timing import time_calls


def run(job: Job) -> dict[str, Any]:
    """Time one method ("session" or "function"), with the job's options `method` and `inter`."""
    method, inter = job.options["method"], job.options["inter"]
    tf.config.threading.set_intra_op_parallelism_threads(job.threads)
    tf.config.threading.set_inter_op_parallelism_threads(inter)
    call: Call = tensorflow_call(
        read_graph(job.graph), job.outputs, job.feed(), method=method, intra=job.threads, inter=inter
    )
    times = time_calls({"tensorflow": call}, rounds=max(3, job.rounds // 3))
    return {"method": method, "inter": inter, "ms": 1000 * statistics.median(times["tensorflow"])}
