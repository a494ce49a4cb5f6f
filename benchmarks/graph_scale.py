"""Planning time and memory by the size of the graph: load, infer shapes, tag, cluster, emit.

    python -m benchmarks.graph_scale [--nodes 10000 100000] [--shape chain wide random]

Each measurement runs in a process of its own, so that its peak memory is its own. Nothing is built.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SHAPES = ("chain", "wide", "random")
_TAKEN = ("Relu", "Tanh", "Elu", "Sigmoid")
_NATIVE = "BesselI0e"
_EVERY = 50
"""One node in so many is of an op that no engine takes."""


def make(shape: str, count: int) -> Any:
    """Return a GraphDef of about `count` nodes, a quarter of them constants; its fetch is `out`.

    Args:
        shape: "chain" (each node reads the one before), "wide" (branches of ten nodes side by side, all added up) or
            "random" (each node reads two of the fifty before it).
        count: how many nodes.
    """
    from tensorflow.core.framework import graph_pb2

    graph_def = graph_pb2.GraphDef()
    graph_def.versions.producer = 1200
    rng = random.Random(0)

    def add(name: str, op: str, *inputs: str, **types: int) -> str:
        node = graph_def.node.add(name=name, op=op, input=inputs)
        for key, value in (types or {"T": 1}).items():
            node.attr[key].type = value
        return name

    x = add("x", "Placeholder", dtype=1)
    for size in (-1, 16):
        graph_def.node[0].attr["shape"].shape.dim.add(size=size)
    names, last, i = [x], x, 0
    while len(graph_def.node) < count:
        i += 1
        if shape == "wide" and i % 10 == 1:
            last = x
        elif shape == "random":
            last = rng.choice(names[-50:])
        if i % _EVERY == 0:
            last = add(f"n{i}", _NATIVE, last)
        elif i % 3 == 0:
            const = add(f"c{i}", "Const", dtype=1)
            tensor = graph_def.node[-1].attr["value"].tensor
            tensor.dtype = 1
            tensor.tensor_shape.dim.add(size=16)
            tensor.float_val.append(i)
            last = add(f"n{i}", "AddV2", last, const)
        elif i % 3 == 1 and shape != "chain":
            last = add(f"n{i}", "Maximum", last, rng.choice(names[-50:]) if shape == "random" else x)
        else:
            last = add(f"n{i}", _TAKEN[i % len(_TAKEN)], last)
        names.append(last)
    total = x
    if shape == "wide":
        for name in names[10::10]:
            total = add(f"sum_{name}", "AddV2", total, name)
    add("out", "AddV2", total, last)
    return graph_def


def measure(shape: str, count: int) -> dict[str, float]:
    """Return seconds by step, the total, and peak memory in MiB above that of an idle process with TensorFlow."""
    from tensorflow.core.framework import graph_pb2

    from tfgraft.graph.graphdef import from_graph_def, to_graph_def
    from tfgraft.graph.ref import TensorRef
    from tfgraft.passes.base import PassContext
    from tfgraft.passes.form_clusters import FormClusters
    from tfgraft.passes.infer_shapes import InferShapes
    from tfgraft.passes.tag_support import TagSupport
    from tfgraft.registry.registry import Registry

    ctx = PassContext(Registry.default())
    small = from_graph_def(make(shape, 1000), feeds=[TensorRef("x")], fetches=[TensorRef("out")])
    for step in (InferShapes(), TagSupport(), FormClusters()):
        step.run(small, ctx)  # what is imported and converted once is not what is measured here
    payload = make(shape, count).SerializeToString()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - start

    with timed("load"):
        graph_def = graph_pb2.GraphDef.FromString(payload)
        graph = from_graph_def(graph_def, feeds=[TensorRef("x")], fetches=[TensorRef("out")])
    for step in (InferShapes(), TagSupport(), FormClusters()):
        with timed(step.name):
            step.run(graph, ctx)
    with timed("emit"):
        to_graph_def(graph).SerializeToString()
    seconds["total"] = sum(seconds.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        **seconds,
        "nodes": len(graph),
        "clusters": len(ctx.results["clusters"]),
        "MiB": peak / 1024,
        "MiB above": (peak - before) / 1024,
    }


def main() -> None:
    """Measure and print one line for each graph."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.shape[0], args.nodes[0])))
        return
    for shape in args.shape:
        for count in args.nodes:
            command = [sys.executable, "-m", "benchmarks.graph_scale", "--one", "--shape", shape, "--nodes", str(count)]
            done = subprocess.run(
                command, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
            )
            if done.returncode:
                print(f"{shape} {count}: failed\n{done.stderr[-2000:]}")
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            print(f"{shape:7s}", "  ".join(f"{k} {v:,.2f}" if v % 1 else f"{k} {v:,.0f}" for k, v in found.items()))


if __name__ == "__main__":
    main()
