"""Small graphs in half precision: the pass `autocast` alone, and what there is of it to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import tensor_info
from tfgraft.passes.autocast import Autocast
from tfgraft.passes.base import PassContext
from tfgraft.passes.default import default_pipeline
from tfgraft.passes.form_clusters import FormClusters
from tfgraft.passes.pipeline import Pipeline
from tfgraft.registry.registry import Registry

FORMING = FormClusters(minimum_segment_size=1, cut_light=False)
"""Small graphs are clusters, too."""


@dataclass(frozen=True)
class Half:
    """A graph after `autocast`, nothing built."""

    graph: Graph
    ctx: PassContext

    @property
    def graph_def(self) -> Any:
        """The graph as TensorFlow runs it."""
        return to_graph_def(self.graph)

    @property
    def nodes(self) -> dict[str, str]:
        """Op types by name, without constants and inputs."""
        return {n.name: n.op for n in self.graph if n.op not in ("Const", "Placeholder")}

    @property
    def casts(self) -> dict[str, str]:
        """What each Cast reads, by name."""
        return {n.name: str(self.graph.inputs(n.name)[0]) for n in self.graph if n.op == "Cast"}

    @property
    def precisions(self) -> dict[str, str]:
        """What the nodes of the main graph compute in."""
        return {name: value for (function, name), value in self.ctx.results["precision"].items() if not function}

    def dtype(self, tensor: str) -> str:
        """The type of a tensor."""
        return tensor_info(self.graph, TensorRef.parse(tensor)).dtype

    def said(self, code: str) -> list[str]:
        """What the pass said, of one code."""
        return [d.message for d in self.ctx.diagnostics if d.origin == "autocast" and d.code == code]


def pipeline(step: Autocast, *, build: bool = True) -> Pipeline:
    """Return the default pipeline with `autocast`."""
    plain = default_pipeline(minimum_segment_size=1, cut_light=False, build=build)
    return plain.insert(step, after="form_clusters")


def autocast(
    graph_def: Any,
    fetches: Sequence[str],
    registry: Registry,
    *,
    precision: str = "FP16",
    engine: str = "reference",
    keep: tuple[str, ...] = (),
    table: Any = None,
    feeds: Sequence[str] = (),
) -> Half:
    """Run the pipeline up to `autocast`; the feeds default to the placeholders."""
    names = list(feeds) or [n.name for n in graph_def.node if n.op == "Placeholder"]
    graph = from_graph_def(
        graph_def,
        feeds=[TensorRef.parse(name) for name in names],
        fetches=[TensorRef.parse(name) for name in fetches],
    )
    ctx = PassContext(registry, engine)
    pipeline(Autocast(precision, table=table, keep=keep, forming=FORMING), build=False).run(graph, ctx)
    return Half(graph, ctx)
