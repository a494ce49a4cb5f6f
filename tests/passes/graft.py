"""Grafting small graphs with real engines, and running graphs in TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

import tfgraft.runtime
from tfgraft.cache.cache import EngineCache
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext
from tfgraft.passes.default import default_pipeline
from tfgraft.passes.pipeline import Pipeline
from tfgraft.registry.registry import Registry
from tfgraft.report.collect import Collect, make_report
from tfgraft.report.report import Report

v1 = tf.compat.v1
X = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4)
"""Three rows for the placeholder `x`."""
Feeds = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """A grafted graph: the pipeline's graph and context, the report, and the GraphDef."""

    graph: Graph
    ctx: PassContext
    report: Report
    graph_def: Any

    @property
    def engines(self) -> list[Any]:
        """The engine nodes of the main graph."""
        return [node for node in self.graph_def.node if node.op == tfgraft.runtime.OP_NAME]

    def engines_in(self, function: str) -> list[Any]:
        """The engine nodes of a function's body."""
        (found,) = [f for f in self.graph_def.library.function if f.signature.name == function]
        return [node for node in found.node_def if node.op == tfgraft.runtime.OP_NAME]


def x(*shape: int | None) -> Any:
    """Add the placeholder `x`, of four columns if no shape is given."""
    return v1.placeholder(tf.float32, shape or [None, 4], "x")


def chain(value: Any, ops: int, name: str = "op") -> Any:
    """Add ops that an engine takes, named `op_0`, `op_1`, ..."""
    for i in range(ops):
        value = tf.nn.relu(value + 0.5, name=f"{name}_{i}") if i % 2 else tf.tanh(value, name=f"{name}_{i}")
    return value


def native(value: Any, name: str) -> Any:
    """Add an op that stays in TensorFlow and gives the same value."""
    return tf.strings.to_number(tf.strings.as_string(value, precision=9), name=name)


def build(function: Callable[[], Any], control_flow_v1: bool = False) -> Any:
    """Return the GraphDef of what `function` builds."""
    graph = tf.Graph()
    with graph.as_default():
        if control_flow_v1:
            v1.disable_control_flow_v2()
        try:
            function()
        finally:
            v1.enable_control_flow_v2()
    return graph.as_graph_def()


def graft(
    graph_def: Any,
    fetches: Sequence[str],
    *,
    feeds: Sequence[str] = (),
    keep: Sequence[str] = (),
    registry: Registry | None = None,
    engine: str = "onnxruntime",
    pipeline: Pipeline | None = None,
    cache: EngineCache | None = None,
    executor: Executor | None = None,
    engine_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Result:
    """Run the default pipeline (with `options`) or a given one; the feeds default to the placeholders."""
    names = list(feeds) or [n.name for n in graph_def.node if n.op == "Placeholder"]
    graph = from_graph_def(
        graph_def,
        feeds=[TensorRef.parse(name) for name in names],
        fetches=[TensorRef.parse(name) for name in fetches],
        keep=keep,
    )
    options.setdefault("minimum_segment_size", 1)
    options.setdefault("cut_light", False)  # the clusters of these small graphs are all light
    ctx = PassContext(registry or Registry.default(), engine, engine_options or {}, cache=cache, executor=executor)
    collect = Collect()
    (pipeline or default_pipeline(**options)).with_instruments(collect).run(graph, ctx)
    if ctx.engine in ctx.registry.engines:
        tfgraft.runtime.register_engine(ctx.registry.engines[ctx.engine])
    return Result(graph, ctx, make_report(ctx, collect.nodes), to_graph_def(graph))


def run(graph_def: Any, fetches: Sequence[str], feeds: Feeds, targets: Sequence[str] = ()) -> list[Any]:
    """Run a GraphDef in a Session."""
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    with v1.Session(graph=graph) as session:
        values = session.run([*fetches, *(graph.get_operation_by_name(t) for t in targets)], dict(feeds))
    return list(values[: len(fetches)])


def check(graph_def: Any, result: Result, fetches: Sequence[str], *feeds: Feeds) -> None:
    """Assert that both graphs give the same numbers, and that the engines ran rather than their native segments."""
    for one in feeds:
        want = run(graph_def, fetches, one)
        tfgraft.runtime.reset_counters()
        got = run(result.graph_def, fetches, one)
        counters = tfgraft.runtime.counters()
        assert counters.fallbacks == 0, counters
        for g, w in zip(got, want, strict=True):
            assert g.dtype == w.dtype
            assert g.shape == w.shape
            np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-6)


def calls() -> int:
    """Return how often engines ran since the last reset."""
    return tfgraft.runtime.counters().calls
