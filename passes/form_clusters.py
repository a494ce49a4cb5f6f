"""form_clusters: group candidates into clusters, each to become one engine."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tfgraft.graph.collector import collector_paused
from tfgraft.graph.dtypes import PLAIN
from tfgraft.graph.facts import Fact
from tfgraft.graph.functions import LOOPS
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import TensorInfo
from tfgraft.graph.views import const_info, const_source
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.bodies import taken_bodies
from tfgraft.passes.contexts import NOWHERE, contexts
from tfgraft.passes.devices import device_colours
from tfgraft.passes.partition import partition
from tfgraft.passes.tag_support import TAG, Tag
from tfgraft.passes.work import is_light
from tfgraft.plugins.protocol import Cluster

CLUSTER: Fact[str] = Fact("cluster")
"""The id of the cluster that a node is in."""
LEFT_OUT: Fact[str] = Fact("left_out")
"""Why a candidate is in no cluster."""
WEIGHT_BYTES = 1024
"""Constants from this size on are handed to the engine as inputs; smaller ones are copied into it."""
_WEIGHTS = PLAIN | {"bfloat16"}
"""Types of constants that can be handed over."""


@dataclass(frozen=True)
class FormClusters:
    """Forms clusters in the main graph and in function bodies; notes the facts `CLUSTER` and `LEFT_OUT`.

    Leaves the list of clusters in `ctx.results["clusters"]`.

    Args:
        minimum_segment_size: clusters with fewer ops that compute something stay native.
        maximum_segment_size: larger clusters are cut into several; None for no limit.
        maximum_engines: keep this many clusters, the largest; None for no limit.
        cut_light: leave out clusters that are not worth an engine call (see `tfgraft.passes.work`) beside others
            that are, or in the body of a loop; where all are light, those of less than half the size of the largest.
    """

    minimum_segment_size: int = 3
    maximum_segment_size: int | None = None
    maximum_engines: int | None = None
    cut_light: bool = True
    name: ClassVar[str] = "form_clusters"

    def __post_init__(self) -> None:
        for option, least in (("minimum_segment_size", 1), ("maximum_segment_size", 1), ("maximum_engines", 0)):
            value = getattr(self, option)
            if value is not None and value < least:
                raise ValueError(f"{option} must be at least {least}, not {value}")
        most = self.maximum_segment_size
        if most is not None and most < self.minimum_segment_size:
            raise ValueError(
                f"maximum_segment_size is {most}, less than minimum_segment_size, {self.minimum_segment_size}: "
                "no cluster could be both"
            )

    @collector_paused()
    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Form clusters; the graph is not changed."""
        found: list[tuple[Graph, list[str]]] = []
        graphs = {one.name: one for one in ctx.graphs(graph)}
        for one in graphs.values():
            one.facts.clear(CLUSTER)
            one.facts.clear(LEFT_OUT)
            tags = one.facts.table(TAG)
            candidates = [name for name, tag in tags.items() if tag.role == "candidate" and name in one]
            found.extend((one, group) for group in self.groups(one, candidates))
        clusters = note_clusters(graphs, self._largest(_outermost(graphs, self._worthwhile(graphs, found))), ctx)
        return PassResult(summary=f"{len(clusters)} clusters, {sum(c.size for c in clusters)} nodes")

    def groups(self, graph: Graph, candidates: Iterable[str]) -> list[list[str]]:
        """Return the groups of candidates of one graph that are large enough, in topological order."""
        order = graph.topological()
        where = contexts(graph, order)
        devices = device_colours(graph, candidates)
        colours = {name: (device, where.get(name, NOWHERE)) for name, device in devices.items()}
        kept = []
        for group in partition(graph, colours, order):
            for part in self._cut(graph, group):
                reason = self._too_small(graph, part)
                if reason:
                    graph.facts.update(LEFT_OUT, dict.fromkeys(part, reason))
                else:
                    kept.append(part)
        return kept

    def _cut(self, graph: Graph, group: list[str]) -> list[list[str]]:
        """Cut a group into runs of its topological order: each is convex, and edges lead only forward."""
        limit = self.maximum_segment_size
        if limit is None:
            return [group]
        parts: list[list[str]] = [[]]
        size = 0
        for name in group:
            weight = _tag(graph, name).weight
            if size + weight > limit:
                parts.append([])
                size = 0
            parts[-1].append(name)
            size += weight
        return parts

    def _too_small(self, graph: Graph, group: Sequence[str]) -> str:
        size = sum(_tag(graph, name).weight for name in group)
        if size < self.minimum_segment_size:
            return f"Its cluster would have {size} ops; minimum_segment_size is {self.minimum_segment_size}."
        inside = set(group)
        reads = (ref for name in group for ref in graph.inputs(name) if ref.node not in inside)
        if all(const_source(graph, ref) is not None for ref in reads):
            return "Its cluster would read constants only."
        fetched = {ref.node for ref in graph.fetches}
        if not any(
            name in fetched or any(target not in inside for target, _, _ in graph.consumers(name)) for name in group
        ):
            return "Nothing reads what its cluster would compute."
        return ""

    def _worthwhile(
        self, graphs: Mapping[str, Graph], found: list[tuple[Graph, list[str]]]
    ) -> list[tuple[Graph, list[str]]]:
        repeated = _repeated(graphs)
        light = [is_light(graph, group, graph.name in repeated) for graph, group in found]
        sizes = [sum(_tag(graph, name).weight for name in group) for graph, group in found]
        # Where all are light, nobody can say much without measuring: the larger ones stay. In a loop a wrong guess
        # costs at each step.
        least = max(sizes) / 2 if found and all(light) else math.inf
        kept = []
        for (graph, group), is_small, size in zip(found, light, sizes, strict=True):
            if self.cut_light and is_small and (size < least or graph.name in repeated):
                reason = "Its cluster is a few light ops, quicker in TensorFlow than the call of an engine."
                graph.facts.update(LEFT_OUT, dict.fromkeys(group, reason))
            else:
                kept.append((graph, group))
        return kept

    def _largest(self, found: list[tuple[Graph, list[str]]]) -> list[tuple[Graph, list[str]]]:
        limit = self.maximum_engines
        if limit is None or len(found) <= limit:
            return found
        sizes = [sum(_tag(graph, name).weight for name in group) for graph, group in found]
        keep = set(sorted(range(len(found)), key=lambda i: (-sizes[i], i))[:limit])
        for i, (graph, group) in enumerate(found):
            if i not in keep:
                reason = f"Its cluster has {sizes[i]} ops; maximum_engines={limit} keeps the larger ones."
                graph.facts.update(LEFT_OUT, dict.fromkeys(group, reason))
        return [pair for i, pair in enumerate(found) if i in keep]


def note_clusters(
    graphs: Mapping[str, Graph], found: Sequence[tuple[Graph, list[str]]], ctx: PassContext
) -> list[Cluster]:
    """Make groups clusters: note the fact `CLUSTER` of their nodes, and the clusters in `ctx.results["clusters"]`."""
    clusters: list[Cluster] = []
    for i, (one, group) in enumerate(found):
        cluster = make_cluster(one, group, f"engine_{i}", ctx.engine)
        one.facts.update(CLUSTER, dict.fromkeys(group, cluster.id))
        clusters.append(cluster)
    note_bodies(graphs, clusters)
    ctx.results["clusters"] = clusters
    return clusters


def note_bodies(graphs: Mapping[str, Graph], clusters: Sequence[Cluster], before: Sequence[Cluster] = ()) -> None:
    """Note the cluster of the nodes in functions that only clusters call: its engine computes them too.

    Args:
        before: the clusters of which this was noted before, to be forgotten.
    """
    for names in taken_bodies(graphs, [(c.function, c.nodes) for c in before]):
        for name in names:
            graphs[name].facts.clear(CLUSTER)
    for cluster, bodies in zip(clusters, taken_bodies(graphs, [(c.function, c.nodes) for c in clusters]), strict=True):
        for name in bodies:
            tags = graphs[name].facts.table(TAG)
            inside = [node for node, tag in tags.items() if tag.role == "candidate" and node in graphs[name]]
            graphs[name].facts.update(CLUSTER, dict.fromkeys(inside, cluster.id))


def _repeated(graphs: Mapping[str, Graph]) -> set[str]:
    """Return the functions that loops call, directly or not."""
    return {
        name
        for graph in graphs.values()
        for node in graph
        if node.op in LOOPS
        for name in graph.library.reachable([node])
    }


def _outermost(graphs: Mapping[str, Graph], found: Sequence[tuple[Graph, list[str]]]) -> list[tuple[Graph, list[str]]]:
    """Leave out groups in functions that only other groups call."""
    taken = {name for names in taken_bodies(graphs, [(g.name, group) for g, group in found]) for name in names}
    reason = "A cluster calls its function; that could not become an engine as a whole."
    for graph, group in found:
        if graph.name in taken:
            graph.facts.update(LEFT_OUT, dict.fromkeys(group, reason))
    return [(graph, group) for graph, group in found if graph.name not in taken]


def make_cluster(graph: Graph, group: Sequence[str], id: str, engine: str) -> Cluster:
    """Describe a group of nodes as a cluster: what it reads, its weights, what is read of it."""
    inside = set(group)
    constants: dict[str, None] = {}
    inputs: dict[TensorRef, None] = {}
    weights: dict[TensorRef, None] = {}
    outputs: dict[TensorRef, None] = {}
    for name in group:
        for ref in graph.inputs(name):
            if ref.node in inside:
                continue
            const = const_source(graph, ref)
            if const is None:
                inputs[ref] = None
                continue
            info = const_info(const)
            if info.dtype in _WEIGHTS and _bytes(info) >= WEIGHT_BYTES:
                weights[TensorRef(const.name)] = None
            else:
                constants[const.name] = None
    fetched = set(graph.fetches)
    for name in group:
        ports = {port for target, _, port in graph.consumers(name) if target not in inside}
        ports |= {ref.port for ref in fetched if ref.node == name}
        outputs.update((TensorRef(name, port), None) for port in sorted(ports))
    size = sum(_tag(graph, name).weight for name in group)
    return Cluster(id, engine, graph.name, (*constants, *group), tuple(inputs), tuple(weights), tuple(outputs), size)


def members(graph: Graph, cluster: Cluster) -> list[str]:
    """Return the nodes of a cluster that compute: all but the constants that it takes along."""
    return [name for name in cluster.nodes if graph.node(name).op != "Const"]


def _bytes(info: TensorInfo) -> int:
    """Return the size of a constant's value; its proto may be smaller, where all its elements are equal."""
    return math.prod(info.shape or ()) * np.dtype(info.dtype).itemsize


def _tag(graph: Graph, name: str) -> Tag:
    tag = graph.facts.get(TAG, name)
    assert tag is not None, name
    return tag
