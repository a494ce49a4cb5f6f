"""regroup: tag nodes anew, and bring clusters up to date, after a pass has rewritten nodes inside of them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from tfgraft.graph.collector import collector_paused
from tfgraft.graph.graph import Graph
from tfgraft.passes.base import PassContext
from tfgraft.passes.form_clusters import CLUSTER, FormClusters, note_clusters
from tfgraft.passes.tag_support import TAG, TagSupport
from tfgraft.plugins.protocol import Cluster

PRECISION = "precision"
"""The key in `PassContext.results`: what a node computes in, "FP32", "FP16", "BF16" or "INT8", by (function, node)."""


@collector_paused()
def regroup(graph: Graph, ctx: PassContext, tagging: TagSupport, forming: FormClusters) -> None:
    """Note the facts `TAG` and `CLUSTER` anew, and the clusters in `ctx.results["clusters"]`.

    Clusters stay what they are: formed from nothing, they might part elsewhere, say between a cast and what it is for.
    A new node is in the cluster that the fact `CLUSTER` says; without it, in that of all its readers, or else of what
    it reads. A cluster of which the engine does not take a node any more is formed anew without that node.

    New nodes must have the fact `TENSORS`, and changed function bodies must have been written back. What the passes say
    of their options again (such as a denylist's entry that matches nothing) is left out: it has been said.

    Args:
        graph: a main graph.
        tagging, forming: the passes of the pipeline that formed the clusters first.
    """
    graphs = {one.name: one for one in ctx.graphs(graph)}
    known = {name: frozenset(one.facts.table(TAG)) for name, one in graphs.items()}
    said = len(ctx.diagnostics)
    tagging.run(graph, ctx)
    del ctx.diagnostics[said:]
    before: Sequence[Cluster] = ctx.results["clusters"]
    found: list[tuple[Graph, list[str]]] = []
    for name, one in graphs.items():
        ids = dict.fromkeys(cluster.id for cluster in before if cluster.function == name)
        found.extend((one, group) for group in _groups(one, list(ids), known[name], forming))
    note_clusters(graphs, found, ctx)


def _groups(graph: Graph, ids: Sequence[str], known: Container[str], forming: FormClusters) -> Iterator[list[str]]:
    """Yield the nodes of each cluster of one graph, in topological order."""
    order = graph.topological()
    homes = _homes(graph, order, known)
    members: dict[str, list[str]] = {id: [] for id in ids}
    lost = set()
    for name in order:
        home, tag = homes.get(name, ""), graph.facts.get(TAG, name)
        if home in members:
            if tag is not None and tag.role == "candidate":
                members[home].append(name)
            else:
                lost.add(home)
            graph.facts.set(CLUSTER, name, "")
    for id, group in members.items():
        if id in lost:
            yield from forming.groups(graph, group)
        elif group:
            yield group


def _homes(graph: Graph, order: Sequence[str], known: Container[str]) -> dict[str, str]:
    """Return the cluster of each node that is in one, nodes that are not known yet included."""
    homes = {name: id for name, id in graph.facts.table(CLUSTER).items() if id}
    for name in reversed(order):
        if name not in known and name not in homes and graph.node(name).op != "Const":
            around = {homes.get(target, "") for target, _, _ in graph.consumers(name)}
            if len(around) != 1 or "" in around:
                around = {home for ref in graph.inputs(name) if (home := homes.get(ref.node, ""))}
            homes[name] = around.pop() if len(around) == 1 else ""
    return homes
