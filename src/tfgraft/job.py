"""Job: one model and what is to be done with it, so that passes can be run on it more than once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

from tfgraft.cache.cache import EngineCache
from tfgraft.errors import ModelError
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.load.model import LoadedModel
from tfgraft.passes.base import PassContext, Progress
from tfgraft.passes.pipeline import Pipeline
from tfgraft.registry.registry import Registry
from tfgraft.report.collect import Collect, collect_nodes, make_report, replaced_nodes
from tfgraft.report.report import Graphs, Report


@dataclass(frozen=True)
class Run:
    """What passes left: the graph, the context with their results, and the report."""

    graph: Graph
    ctx: PassContext
    report: Report


@dataclass(frozen=True)
class Job:
    """A loaded model, the engine it is for, and how to run passes on it; see `PassContext` for the rest."""

    loaded: LoadedModel
    registry: Registry
    engine: str
    options: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False
    progress: Progress | None = None
    cache: EngineCache | None = None
    executor: Executor | None = None
    others: Sequence[str] = ()

    def graph(self) -> Graph:
        """Return the model's graph, a new one each time.

        Raises:
            ModelError: the graph is not sound.
        """
        loaded = self.loaded
        fed = [t.name for t in (*loaded.inputs, *loaded.optional_inputs)] + [r.name for r in loaded.resources]
        graph = from_graph_def(
            loaded.graph_def,
            feeds=[TensorRef.parse(name) for name in fed],
            fetches=[TensorRef.parse(t.name) for t in loaded.outputs],
        )
        if problems := graph.verify():
            raise ModelError(f"The graph is not sound: {problems[0]}.")
        return graph

    def run(self, pipeline: Pipeline) -> Run:
        """Run passes on the model's graph.

        Raises:
            ModelError: the graph is not sound.
            PassError: a pass failed.
        """
        graph = self.graph()
        ctx = PassContext(self.registry, self.engine, dict(self.options), self.others, strict=self.strict)
        ctx.cache, ctx.executor = self.cache, self.executor
        if self.progress is not None:
            ctx.progress = self.progress
        before = [(one.name, node.name, node.op) for one in ctx.graphs(graph) for node in one]
        collect = Collect()
        pipeline.with_instruments(collect).run(graph, ctx)
        nodes = collect.nodes or collect_nodes(graph, ctx)
        report = make_report(ctx, nodes, replaced_nodes(before, nodes))
        return Run(graph, ctx, replace(report, graphs=Graphs(self.loaded.graph_def)))
