"""Stage: tfgraft's own contenders."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import onnxruntime  # noqa: F401 (loaded before the clock starts, as for the peers)
import tensorflow as tf
import tf2onnx.convert  # noqa: F401

import tfgraft
import tfgraft.runtime
from benchmarks.bench.files import made
from benchmarks.bench.models import values
from benchmarks.bench.stages.agree import agrees
from benchmarks.zoo.stages.calls import session_call
from benchmarks.zoo.stages.job import Job
from benchmarks.zoo.stages.memory import PeakMemory

_CALIBRATION = 4
"""Batches that a Keras net is calibrated with; a model of the zoo is with its feed."""


def run(job: Job) -> dict[str, Any]:
    """Optimize with the options' `engine` and `precision`; seconds and added peak memory are of `optimize` alone."""
    # An engine is chosen by its times: what counts is what the timing stage will have.
    tf.config.threading.set_intra_op_parallelism_threads(job.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    options: dict[str, Any] = {"engine": job.options["engine"], "intra_op_threads": job.threads}
    if options["engine"] == "auto":
        seconds = job.options["search_seconds"]
        options["search"] = tfgraft.Search(feeds=[job.feed()], seconds=seconds, threads=job.threads)
    if job.options["precision"] == "INT8":
        options.update(precision="INT8", calibration=_calibration(job))
    start = time.perf_counter()
    with PeakMemory() as memory:
        grafted = tfgraft.optimize(str(job.graph), outputs=job.outputs, **options)
    result = {"seconds": time.perf_counter() - start, "added_mb": None if memory.added is None else memory.added / 1e6}
    made(job, job.options["contender"]).write_bytes(grafted.graph_def.SerializeToString())
    report = grafted.report
    tfgraft.runtime.reset_counters()
    outputs = session_call(grafted.graph_def, job.outputs, job.feed(), intra=job.threads, inter=1)()
    return {
        **result,
        **agrees(job, outputs),
        "engines": dict(Counter(cluster.engine for cluster in report.clusters)),
        "coverage": report.coverage,
        "fallbacks": tfgraft.runtime.counters().fallbacks,
    }


def _calibration(job: Job) -> list[Any]:
    if job.options["zoo"] is not None:
        return [job.feed()]
    ((name, value),) = job.feed().items()
    return [{name: values(value.shape, seed=i + 1)} for i in range(_CALIBRATION)]
