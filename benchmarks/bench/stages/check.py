"""Stage: a grafted graph's results with oneDNN off, so that native nodes compute what the reference did."""

from __future__ import annotations

from typing import Any

import tfgraft.runtime  # noqa: F401 (registers the engine op)
from benchmarks.bench.files import made
from benchmarks.bench.stages.agree import agrees
from benchmarks.zoo.stages.calls import read_graph, session_call
from benchmarks.zoo.stages.job import Job


def run(job: Job) -> dict[str, Any]:
    """Run the graph of the options' `contender` and compare."""
    graph_def = read_graph(made(job, job.options["contender"]))
    return agrees(job, session_call(graph_def, job.outputs, job.feed(), intra=job.threads, inter=1)())
