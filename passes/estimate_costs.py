"""estimate_costs: about how long each cluster of a plan would take in TensorFlow and in its engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from tfgraft.choice.choice import NATIVE
from tfgraft.choice.cost import ROUNDS, boundary_milliseconds, loops, work_of
from tfgraft.choice.estimate import Estimate
from tfgraft.choice.figures import FIGURES, Figures, figures_of
from tfgraft.feeds import made_up_shape
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import TENSORS, tensor_info
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.form_clusters import members
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.plugins.protocol import Cluster

ESTIMATES = "estimates"
"""The key in `PassContext.results` of the list of `Estimate`."""


@dataclass(frozen=True)
class EstimateCosts:
    """Estimates the clusters of `ctx.results["clusters"]`; leaves `Estimate` values in `ctx.results["estimates"]`.

    Nothing is run: ops and shapes, and figures of each engine (see `tfgraft.choice.figures`), say how long a cluster
    would take on the processor that the figures are from. Unknown sizes of inputs are taken as those that values are
    made up with (see `tfgraft.feeds.synthetic_feeds`), and other unknown sizes as 1.
    """

    name: ClassVar[str] = "estimate_costs"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Estimate; the graph is not changed."""
        clusters: list[Cluster] = list(ctx.results.get("clusters", ()))
        figures = {NATIVE: FIGURES[NATIVE]}
        builder = ctx.registry.engines.get(ctx.engine)
        own = None if builder is None else figures_of(builder, ctx.options)
        if own is not None:
            figures[ctx.engine] = own
        graphs = {one.name: one for one in ctx.graphs(graph)}
        with _assumed(graph, ctx, bool(clusters)) as assumed:
            found = [_estimate(graphs[c.function], c, figures, assumed) for c in clusters]
        ctx.results[ESTIMATES] = found
        return PassResult(summary=f"{len(found)} clusters estimated")


def _open_inputs(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the inputs of which some sizes are not known, and the rank is."""
    found = {}
    for name in dict.fromkeys(ref.node for ref in graph.feeds):
        shape = tensor_info(graph, TensorRef(name)).shape
        if graph.node(name).op == "Placeholder" and shape is not None and any(d < 0 for d in shape):
            found[name] = shape
    return found


def _estimate(graph: Graph, cluster: Cluster, figures: Mapping[str, Figures], assumed: tuple[str, ...]) -> Estimate:
    nodes = members(graph, cluster)
    work = work_of(graph, nodes)
    times = {name: work.milliseconds(one) for name, one in figures.items()}
    times = {name: ms + boundary_milliseconds(cluster, figures[name]) for name, ms in times.items()}
    if loops(graph, nodes):
        assumed = (*assumed, f"loops taken as {ROUNDS} rounds")
    if cluster.function:
        assumed = (*assumed, "for one call of its function")
    unknown = any(not info.is_static for name in nodes for info in graph.facts.get(TENSORS, name) or ())
    if unknown:
        assumed = (*assumed, "sizes that are not known taken as 1")
    return Estimate(tuple(nodes), times, assumed, cluster.id, cluster.function)


@contextmanager
def _assumed(graph: Graph, ctx: PassContext, wanted: bool) -> Iterator[tuple[str, ...]]:
    """Have shapes meanwhile as they are with inputs of known sizes; yield what is assumed."""
    given = {name: made_up_shape(shape) for name, shape in _open_inputs(graph).items()} if wanted else {}
    if not given:
        yield ()
        return
    graphs = ctx.graphs(graph)
    before = [(one, dict(one.facts.table(TENSORS))) for one in graphs]
    quiet = PassContext(ctx.registry, ctx.engine, ctx.options)
    InferShapes(given).run(graph, quiet)
    try:
        yield tuple(f"{name} taken as {list(shape)}" for name, shape in given.items())
    finally:
        for one, facts in before:
            one.facts.clear(TENSORS)
            one.facts.update(TENSORS, facts)
