"""Stage: the whole graph by OpenVINO's TensorFlow frontend."""

from __future__ import annotations

import time
from typing import Any

import openvino
from openvino.frontend import FrontEndManager

from benchmarks.bench.calls import openvino_call
from benchmarks.bench.files import made
from benchmarks.bench.stages.agree import agrees
from benchmarks.zoo.stages.job import Job
from benchmarks.zoo.stages.memory import PeakMemory
from tfgraft.plugins.openvino.model import reason


def run(job: Job) -> dict[str, Any]:
    """Convert, run and compare; seconds and added peak memory are of the conversion alone.

    Raises:
        ValueError: OpenVINO does not convert, compile or run it.
    """
    try:
        return _run(job)
    except RuntimeError as error:
        # What it says comes after where in its source it was raised.
        raise ValueError(reason(error)) from error


def _run(job: Job) -> dict[str, Any]:
    feed = job.feed()
    start = time.perf_counter()
    with PeakMemory() as memory:
        model = _converted(job)
    seconds = time.perf_counter() - start
    openvino.save_model(model, made(job, "openvino"), compress_to_fp16=False)
    values = openvino_call(made(job, "openvino"), job.outputs, feed, intra=job.threads)()
    added = None if memory.added is None else memory.added / 1e6
    return {"seconds": seconds, "added_mb": added, **agrees(job, values)}


def _converted(job: Job) -> Any:
    """Convert by the frontend itself: `openvino.convert_model` takes no outputs that other nodes read."""
    frontend = FrontEndManager().load_by_framework("tf")
    graph = frontend.load(str(job.graph))
    graph.override_all_outputs([graph.get_place_by_tensor_name(name) for name in job.outputs])
    return frontend.convert(graph)
