"""Stage: the whole graph as one function that XLA compiles (`jit_compile=True`)."""

from __future__ import annotations

import time
from typing import Any

import tensorflow as tf

from benchmarks.bench.files import made
from benchmarks.bench.stages.agree import agrees
from benchmarks.zoo.built import Arrays
from benchmarks.zoo.stages.calls import read_graph, session_call
from benchmarks.zoo.stages.job import Job
from benchmarks.zoo.stages.memory import PeakMemory


def run(job: Job) -> dict[str, Any]:
    """Make the graph, run it, compare; seconds and memory are until the first results, as they include compiling."""
    graph_def, feed = read_graph(job.graph), job.feed()
    start = time.perf_counter()
    with PeakMemory() as memory:
        compiled = compiled_graph(graph_def, job.outputs, feed)
        values = session_call(compiled, job.outputs, feed, intra=job.threads, inter=1)()
    seconds = time.perf_counter() - start
    made(job, "xla").write_bytes(compiled.SerializeToString())
    added = None if memory.added is None else memory.added / 1e6
    return {"seconds": seconds, "added_mb": added, **agrees(job, values)}


def compiled_graph(graph_def: Any, outputs: list[str], feed: Arrays) -> Any:
    """Return a GraphDef with the same inputs and outputs, by name, in which one call computes everything."""
    fed = {name.rpartition(":")[0] for name in feed}
    body = type(graph_def).FromString(graph_def.SerializeToString())
    for node in body.node:
        if node.name in fed:  # XLA refuses placeholders, and only control edges are left of them
            node.CopyFrom(type(node)(name=node.name, op="NoOp"))

    def imported(*tensors: Any) -> Any:
        return tf.graph_util.import_graph_def(body, dict(zip(feed, tensors, strict=True)), outputs, name="")

    compiled = tf.function(imported, jit_compile=True, autograph=False)
    graph = tf.Graph()
    with graph.as_default():
        inputs = [
            tf.compat.v1.placeholder(_dtype(value), value.shape, name.rpartition(":")[0])
            for name, value in feed.items()
        ]
        for name, tensor in zip(outputs, compiled(*inputs), strict=True):
            tf.identity(tensor, name=name.rpartition(":")[0])
    return graph.as_graph_def()


def _dtype(value: Any) -> Any:
    return tf.string if value.dtype == object else value.dtype
