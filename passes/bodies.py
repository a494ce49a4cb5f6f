"""Bodies that engines take whole: functions that nothing calls but nodes inside of clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfgraft.graph.functions import called
from tfgraft.graph.graph import Graph


def taken_bodies(graphs: Mapping[str, Graph], groups: Sequence[tuple[str, Sequence[str]]]) -> list[list[str]]:
    """Return, for each group, the functions that its nodes call, directly or not, and nothing outside of groups does.

    Args:
        graphs: the main graph, by the empty name, and the bodies of the functions that it reaches.
        groups: the function whose body a group is in (empty: the main graph), and the names of its nodes. A group in
            a function that is returned counts for nothing.
    """
    inside: dict[str, set[str]] = {}
    for function, nodes in groups:
        inside.setdefault(function, set()).update(nodes)
    live, pending = {""}, [""]
    while pending:
        function = pending.pop()
        graph = graphs[function]
        clustered = inside.get(function, set())
        for node in graph:
            if node.name not in clustered:
                found = [name for name in called(node) if name in graphs and name not in live]
                live.update(found)
                pending.extend(found)
    return [_below(graphs, graphs[function], nodes, live) if function in live else [] for function, nodes in groups]


def _below(graphs: Mapping[str, Graph], graph: Graph, nodes: Sequence[str], live: set[str]) -> list[str]:
    reached = graph.library.reachable(graph.node(name) for name in nodes if graph.node(name).attrs.functions)
    return [name for name in reached if name in graphs and name not in live]
