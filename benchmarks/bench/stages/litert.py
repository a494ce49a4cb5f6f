"""Stage: the whole graph by LiteRT's (TensorFlow Lite's) converter."""

from __future__ import annotations

import json
import time
from typing import Any

import tensorflow as tf  # noqa: F401 (loaded before the clock starts)

from benchmarks.bench.calls import litert_call
from benchmarks.bench.files import made
from benchmarks.bench.stages.agree import agrees
from benchmarks.zoo.stages.job import Job
from benchmarks.zoo.stages.memory import PeakMemory
from tfgraft.plugins.litert import convert


def run(job: Job) -> dict[str, Any]:
    """Convert, run and compare; seconds and added peak memory are of the conversion alone.

    Raises:
        ValueError: the converter refuses the graph, or LiteRT does not load what it made.
    """
    feed = job.feed()
    whole = convert.Job(job.graph.read_bytes(), tuple(feed), tuple(job.outputs))
    start = time.perf_counter()
    with PeakMemory() as memory:
        converted = convert.convert(whole)
    seconds = time.perf_counter() - start
    if isinstance(converted, convert.Failure):
        raise ValueError(converted.message)
    path = made(job, "litert")
    path.write_bytes(converted.model)
    path.with_suffix(".order").write_text(json.dumps(converted.order), encoding="utf-8")
    values = litert_call(path, feed, intra=job.threads)()
    added = None if memory.added is None else memory.added / 1e6
    return {"seconds": seconds, "added_mb": added, **agrees(job, values)}
