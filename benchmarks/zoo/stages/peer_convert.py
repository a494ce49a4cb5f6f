"""Stage: the peer's conversion, the whole graph to ONNX by tf2onnx."""

from __future__ import annotations

import time
from typing import Any

import onnxruntime  # noqa: F401 (loaded before the clock starts, as for tfgraft)
import tf2onnx.convert

from benchmarks.zoo.stages.calls import read_graph
from benchmarks.zoo.stages.job import Job
from benchmarks.zoo.stages.memory import PeakMemory


def run(job: Job) -> dict[str, Any]:
    """Convert and keep the model; seconds and added peak memory are of the conversion alone."""
    graph_def = read_graph(job.graph)
    start = time.perf_counter()
    with PeakMemory() as memory:
        model, _ = tf2onnx.convert.from_graph_def(
            graph_def,
            input_names=list(job.feed()),
            output_names=job.outputs,
            opset=job.options.get("opset"),
        )
    seconds = time.perf_counter() - start
    job.onnx.parent.mkdir(parents=True, exist_ok=True)
    partial = job.onnx.with_suffix(".partial")
    partial.write_bytes(model.SerializeToString())
    partial.replace(job.onnx)
    return {"seconds": seconds, "added_mb": None if memory.added is None else memory.added / 1e6}
