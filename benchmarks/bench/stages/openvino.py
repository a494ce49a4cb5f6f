"""Stage: the whole graph by OpenVINO's TensorFlow frontend."""

from __future__ import annotations

import time
from typing import Any

import openvino

from benchmarks.bench.calls import openvino_call
from benchmarks.bench.files import made
from benchmarks.bench.stages.agree import agrees
from benchmarks.zoo.stages.job import Job
from benchmarks.zoo.stages.memory import PeakMemory


def run(job: Job) -> dict[str, Any]:
    """Convert, run and compare; seconds and added peak memory are of the conversion alone."""
    feed = job.feed()
    start = time.perf_counter()
    with PeakMemory() as memory:
        model = openvino.convert_model(str(job.graph), input=list(feed), output=job.outputs)
    seconds = time.perf_counter() - start
    openvino.save_model(model, made(job, "openvino"), compress_to_fp16=False)
    values = openvino_call(made(job, "openvino"), job.outputs, feed, intra=job.threads)()
    added = None if memory.added is None else memory.added / 1e6
    return {"seconds": seconds, "added_mb": added, **agrees(job, values)}
