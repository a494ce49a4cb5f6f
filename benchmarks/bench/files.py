"""Where the stages of a row leave what they have made."""

from __future__ import annotations

from pathlib import Path

from benchmarks.zoo.stages.job import Job

FOLDER = Path(".zoo/bench")
SUFFIXES = {"openvino": ".xml", "litert": ".tflite"}


def made(job: Job, contender: str) -> Path:
    """Return the file that a contender is loaded from: a graph, or a model of another format."""
    if contender == "tf2onnx":
        return job.onnx
    return job.work / f"{job.name}.{contender}{SUFFIXES.get(contender, '.pb')}"
