"""Whether a contender's results are TensorFlow's, with oneDNN off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.bench.contenders import TOLERANCE
from benchmarks.zoo.built import load_arrays
from benchmarks.zoo.stages.compare import agreement
from benchmarks.zoo.stages.job import Job


def agrees(job: Job, values: Sequence[Any]) -> dict[str, Any]:
    """Return "error", "unequal" and "agrees"; a lower precision agrees if its results are numbers."""
    reference = load_arrays(job.reference)
    found = agreement(job.outputs, [reference[name] for name in job.outputs], values)
    lower = job.options.get("precision", "FP32") != "FP32"
    return {**found.to_dict(), "agrees": found.error < float("inf") if lower else found.within(TOLERANCE)}
