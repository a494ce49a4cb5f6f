"""Stage: the whole graph to ONNX by tf2onnx, for ONNX Runtime."""

from __future__ import annotations

from typing import Any

from benchmarks.zoo.stages import peer_check, peer_convert
from benchmarks.zoo.stages.job import Job


def run(job: Job) -> dict[str, Any]:
    """Convert, run and compare, as the zoo's stages do."""
    converted = peer_convert.run(job)
    try:
        return {**converted, **peer_check.run(job)}
    except Exception as error:
        raise RuntimeError(f"it converts, but does not run: {error}") from error
