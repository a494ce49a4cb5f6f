"""Stage: graft engines into the graph, run it, and compare it with the reference."""

from __future__ import annotations

import time
from typing import Any

import onnxruntime  # noqa: F401 (loaded before the clock starts, as for the peer)
import tf2onnx.convert  # noqa: F401

import tfgraft
import tfgraft.runtime
from benchmarks.zoo.built import load_arrays
from benchmarks.zoo.stages.calls import session_call
from benchmarks.zoo.stages.compare import agreement
from benchmarks.zoo.stages.job import Job
from benchmarks.zoo.stages.memory import PeakMemory

TOLERANCE = 1e-4


def run(job: Job) -> dict[str, Any]:
    """Optimize, save the grafted graph, run it on the real feed; seconds and memory are of `optimize` alone."""
    start = time.perf_counter()
    with PeakMemory() as memory:
        grafted = tfgraft.optimize(str(job.graph), outputs=job.outputs)
    seconds = time.perf_counter() - start
    job.grafted.write_bytes(grafted.graph_def.SerializeToString())
    report = grafted.report
    values = session_call(grafted.graph_def, job.outputs, job.feed(), intra=job.threads, inter=1)()
    counters = tfgraft.runtime.counters()
    reference = load_arrays(job.reference)
    found = agreement(job.outputs, [reference[name] for name in job.outputs], values)
    return {
        "clusters": len(report.clusters),
        "coverage": report.coverage,
        "seconds": seconds,
        "added_mb": None if memory.added is None else memory.added / 1e6,
        **found.to_dict(),
        "agrees": found.within(TOLERANCE),
        "refusals": [{"op": op, "code": code, "count": count} for (op, code), count in report.refusals.items()],
        "engine_calls": counters.calls,
        "fallbacks": counters.fallbacks,
        "fallback_causes": sorted({cause for each in counters.engines.values() for cause in each.causes}),
    }
