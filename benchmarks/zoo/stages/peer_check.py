"""Stage: whether the peer's conversion loads, runs and agrees; conversions that run and are wrong do exist."""

from __future__ import annotations

from typing import Any

from benchmarks.zoo.built import load_arrays
from benchmarks.zoo.stages.calls import onnxruntime_call
from benchmarks.zoo.stages.compare import agreement
from benchmarks.zoo.stages.job import Job

TOLERANCE = 1e-3


def run(job: Job) -> dict[str, Any]:
    """Run the ONNX model once and compare it with the reference."""
    values = onnxruntime_call(job.onnx, job.outputs, job.feed(), intra=job.threads, quiet=True)()
    reference = load_arrays(job.reference)
    found = agreement(job.outputs, [reference[name] for name in job.outputs], values)
    return {**found.to_dict(), "agrees": found.within(TOLERANCE)}
