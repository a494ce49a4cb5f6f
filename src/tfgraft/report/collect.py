"""Collecting a report: from the facts on a graph and the results of its passes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.passes.base import Diagnostic, PassContext, PassResult
from tfgraft.passes.build_engines import Built
from tfgraft.passes.form_clusters import CLUSTER, LEFT_OUT
from tfgraft.passes.tag_support import TAG, Tag
from tfgraft.plugins.protocol import Cluster
from tfgraft.registry.registry import Resolution
from tfgraft.report.report import ClusterReport, NodeReport, Report


def collect_nodes(graph: Graph, ctx: PassContext) -> tuple[NodeReport, ...]:
    """Return what is known of every node now; call it while the clusters' nodes are still in the graph."""
    precisions: Mapping[tuple[str, str], str] = ctx.results.get("precision", {})
    return tuple(
        _with_precision(_node(one, node), precisions.get((one.name, node.name), ""))
        for one in ctx.graphs(graph)
        for node in one
    )


def _with_precision(node: NodeReport, precision: str) -> NodeReport:
    return replace(node, precision=precision) if precision and node.fate == "engine" else node


def replaced_nodes(before: Iterable[tuple[str, str, str]], now: Iterable[NodeReport]) -> tuple[NodeReport, ...]:
    """Return reports of the nodes, given as (function, name, op), that were there before and are gone now."""
    there = {(n.function, n.name) for n in now}
    return tuple(
        NodeReport(name, op, function, "constant" if op == "Const" else "replaced")
        for function, name, op in before
        if (function, name) not in there
    )


def make_report(ctx: PassContext, nodes: tuple[NodeReport, ...], replaced: tuple[NodeReport, ...] = ()) -> Report:
    """Return the report of a run."""
    clusters: list[Cluster] = ctx.results.get("clusters", [])
    built: Mapping[str, Built] = {b.cluster.id: b for b in ctx.results.get("built", ())}
    engine_nodes: Mapping[str, str] = ctx.results.get("engine_nodes", {})
    refusals = tuple(
        Diagnostic("info", n.code, n.reason, n.name, n.function, "tag_support", n.hint)
        for n in nodes
        if n.fate == "native" and n.code
    )
    problems = tuple(
        Diagnostic("warning", "plugin", f"Plugin {p.plugin} of {p.distribution} could not be loaded: {p.error}")
        for p in ctx.registry.problems
    )
    return Report(
        ctx.engine,
        tuple(_cluster(c, built.get(c.id), engine_nodes.get(c.id, "")) for c in clusters),
        nodes + replaced,
        problems + tuple(ctx.diagnostics) + refusals,
        ctx.results.get("timing", ()),
        verified=tuple(ctx.results.get("verified", ())),
        choices=tuple(ctx.results.get("choices", ())),
        estimates=tuple(ctx.results.get("estimates", ())),
    )


def _cluster(cluster: Cluster, built: Built | None, engine_node: str) -> ClusterReport:
    return ClusterReport(
        cluster.id,
        cluster.engine,
        cluster.nodes,
        tuple(str(ref) for ref in cluster.inputs),
        tuple(str(ref) for ref in cluster.outputs),
        tuple(str(ref) for ref in cluster.weights),
        cluster.function,
        cluster.size,
        engine_node,
        len(built.engine.payload) if built else 0,
        dict(built.engine.statistics) if built else {},
    )


def _node(graph: Graph, node: Node) -> NodeReport:
    tag = graph.facts.get(TAG, node.name)
    if tag is None:
        return NodeReport(node.name, node.op, graph.name, "native", reason="It was not looked at.")
    asked = _asked(tag)
    converter = _converter(tag.resolution)
    cluster = graph.facts.get(CLUSTER, node.name) or ""
    if tag.role == "constant":
        return NodeReport(node.name, node.op, graph.name, "constant")
    if cluster:
        return NodeReport(node.name, node.op, graph.name, "engine", cluster, converter=converter, asked=asked)
    if tag.role == "candidate":
        reason = graph.facts.get(LEFT_OUT, node.name) or "It is in no cluster."
        return NodeReport(node.name, node.op, graph.name, "left out", reason=reason, converter=converter, asked=asked)
    refusal = tag.refusal
    assert refusal is not None, node.name
    return NodeReport(
        node.name,
        node.op,
        graph.name,
        "native",
        code=refusal.code,
        reason=refusal.message,
        hint=refusal.hint,
        asked=asked,
    )


def _converter(resolution: Resolution | None) -> str:
    chosen = resolution.chosen if resolution else None
    return f"{chosen.engine}: {chosen.source}" if chosen else ""


def _asked(tag: Tag) -> tuple[tuple[str, str], ...]:
    if tag.resolution is None:
        return ()
    return tuple((f"{entry.engine}: {entry.source}", str(refusal)) for entry, refusal in tag.resolution.rejected)


class Collect:
    """A pass-like hook that keeps the nodes' stories at the moment clusters are final (see `optimize`)."""

    name = "collect"

    def __init__(self) -> None:
        self.nodes: tuple[NodeReport, ...] = ()

    def before(self, step: object, graph: Graph, ctx: PassContext) -> None:
        """Collect before the clusters' nodes are replaced."""
        if getattr(step, "name", "") == "replace_clusters":
            self.nodes = collect_nodes(graph, ctx)

    def after(self, step: object, graph: Graph, ctx: PassContext, result: PassResult) -> None:
        """Nothing: see `before`."""
