"""Stage: the reference outputs, from TensorFlow with oneDNN off (with it on, stock TensorFlow is up to 3e-2 off)."""

from __future__ import annotations

from typing import Any

from benchmarks.zoo.built import save_arrays
from benchmarks.zoo.models import MODELS
from benchmarks.zoo.stages.calls import read_graph, session_call
from benchmarks.zoo.stages.job import Job


def run(job: Job) -> dict[str, Any]:
    """Run the original graph, save its outputs, and put them into words."""
    values = session_call(read_graph(job.graph), job.outputs, job.feed(), intra=job.threads, inter=1)()
    outputs = dict(zip(job.outputs, values, strict=True))
    save_arrays(job.reference, outputs)
    return {"meaning": MODELS[job.name].meaning(outputs)}
