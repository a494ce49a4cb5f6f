"""build_engines: turn clusters into engines; a node that breaks a build is found, refused and left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from tfgraft.cache.outcomes import Finished
from tfgraft.graph.graph import Graph
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.builds import Builds, Pending
from tfgraft.passes.form_clusters import CLUSTER, LEFT_OUT, FormClusters, make_cluster, members, note_bodies
from tfgraft.passes.tag_support import TAG, Tag
from tfgraft.plugins.protocol import BuildError, BuiltEngine, Cluster
from tfgraft.registry.support import Unsupported

_ATTEMPTS = 20
"""A cluster that still fails to build after this many culprits were left out stays native."""


@dataclass(frozen=True)
class Built:
    """A cluster, its engine, and the fingerprint by which the engine is shared when loaded."""

    cluster: Cluster
    engine: BuiltEngine
    fingerprint: str


@dataclass(frozen=True)
class BuildEngines:
    """Builds an engine for each cluster of `ctx.results["clusters"]`; leaves `Built` values in `ctx.results["built"]`.

    Where a build fails, the culprit (named by the builder, else found by bisection) is tagged native with the reason
    and the rest of the cluster is formed anew. `ctx.cache` is asked before anything is built, and `ctx.executor` builds
    several clusters at once; the result is the same with and without them.

    Args:
        forming: with what options the rest of a failed cluster is formed anew.
    """

    forming: FormClusters = field(default_factory=FormClusters)
    name: ClassVar[str] = "build_engines"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Build; the graph is not changed.

        Raises:
            ValueError: the engine is not available here, or does not take an option, alone or for this graph.
        """
        clusters: list[Cluster] = list(ctx.results.get("clusters", ()))
        builder = ctx.registry.engines[ctx.engine]
        if clusters:
            available = builder.available()
            if isinstance(available, Unsupported):
                raise ValueError(str(available))
            builder.check_options(ctx.options)
        graphs = {one.name: one for one in ctx.graphs(graph)}
        built: list[Built] = []
        builds = Builds(builder, graph, ctx)
        begun = [builds.begin(graphs[cluster.function], cluster) for cluster in clusters]
        for i, cluster in enumerate(clusters):
            ctx.progress(f"{self.name} {cluster.id}: {cluster.size} ops", i, len(clusters))
            built.extend(self._build(graphs[cluster.function], cluster, begun[i], builds, ctx))
        built = self._largest(graphs, built)
        built = [renumbered(one, f"engine_{i}") for i, one in enumerate(built)]
        for one in built:
            where = graphs[one.cluster.function]
            where.facts.update(CLUSTER, dict.fromkeys(members(where, one.cluster), one.cluster.id))
        now = [one.cluster for one in built]
        note_bodies(graphs, now, before=clusters)
        ctx.results["clusters"] = now
        ctx.results["built"] = built
        return PassResult(summary=f"{len(built)} engines")

    def _build(self, graph: Graph, cluster: Cluster, begun: Pending, builds: Builds, ctx: PassContext) -> list[Built]:
        waiting, built, failures = [(cluster, begun)], [], 0
        while waiting:
            current, pending = waiting.pop(0)
            culprit = pending()
            if isinstance(culprit, Finished):
                built.append(Built(current, culprit.engine, culprit.fingerprint))
                continue
            failures += 1
            mine = [n for n in current.nodes if graph.facts.get(CLUSTER, n) == cluster.id]
            # A builder may name a constant, or a node of its own: then it says no more than that the build failed.
            name = culprit.node if culprit.node in mine else _bisect(graph, current, builds)
            if failures > _ATTEMPTS or name not in mine:
                self._give_up(graph, mine, culprit, ctx)
                continue
            self._refuse(graph, name, culprit, ctx)
            others = {n: reason for n, reason in culprit.others.items() if n in mine and n != name}
            for other, reason in others.items():
                self._refuse(graph, other, BuildError(reason, other, culprit.code), ctx)
            rest = [n for n in mine if n != name and n not in others]
            waiting.extend((one, builds.begin(graph, one)) for one in self._form(graph, cluster, rest))
        return built

    def _largest(self, graphs: Mapping[str, Graph], built: list[Built]) -> list[Built]:
        """Keep `maximum_engines`: a cluster that failed may have become several."""
        limit = self.forming.maximum_engines
        if limit is None or len(built) <= limit:
            return built
        keep = sorted(range(len(built)), key=lambda i: (-built[i].cluster.size, i))[:limit]
        for i, one in enumerate(built):
            if i not in keep:
                graph = graphs[one.cluster.function]
                inside = members(graph, one.cluster)
                reason = f"Its cluster has {one.cluster.size} ops; maximum_engines={limit} keeps the larger ones."
                graph.facts.update(LEFT_OUT, dict.fromkeys(inside, reason))
                graph.facts.update(CLUSTER, dict.fromkeys(inside, ""))
        return [one for i, one in enumerate(built) if i in keep]

    def _form(self, graph: Graph, cluster: Cluster, nodes: Sequence[str]) -> list[Cluster]:
        groups = self.forming.groups(graph, nodes)
        inside = {name for group in groups for name in group}
        graph.facts.update(CLUSTER, {n: cluster.id if n in inside else "" for n in nodes})
        return [make_cluster(graph, group, cluster.id, cluster.engine) for group in groups]

    def _refuse(self, graph: Graph, name: str, error: BuildError, ctx: PassContext) -> None:
        old = graph.facts.get(TAG, name)
        refusal = Unsupported(error.code, str(error), name)
        graph.facts.set(TAG, name, replace(old or Tag("native"), role="native", refusal=refusal))
        graph.facts.set(CLUSTER, name, "")
        ctx.say(self.name, "warning", error.code, str(error), node=name, function=graph.name)

    def _give_up(self, graph: Graph, nodes: Sequence[str], error: BuildError, ctx: PassContext) -> None:
        graph.facts.update(LEFT_OUT, dict.fromkeys(nodes, f"Its cluster could not be built: {error}"))
        graph.facts.update(CLUSTER, dict.fromkeys(nodes, ""))
        node = nodes[0] if nodes else ""
        message = f"A cluster of {len(nodes)} nodes could not be built and stays native: {error}"
        ctx.say(self.name, "warning", "build-failed", message, node=node, function=graph.name)


def _bisect(graph: Graph, cluster: Cluster, builds: Builds) -> str:
    """Return the last node of the shortest prefix, in topological order, that fails to build (prefixes are convex)."""
    nodes = [n for n in cluster.nodes if graph.facts.get(CLUSTER, n)]

    def fails(count: int) -> bool:
        prefix = make_cluster(graph, nodes[:count], cluster.id, cluster.engine)
        return isinstance(builds.outcome(graph, prefix), BuildError)

    low, high = 0, len(nodes)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fails(middle) else (middle, high)
    return nodes[high - 1] if nodes else ""


def renumbered(built: Built, id: str) -> Built:
    """Return the same with another id of the cluster."""
    return replace(built, cluster=replace(built.cluster, id=id))
