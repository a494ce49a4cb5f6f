"""Partition: cut the candidates of a graph into groups that are convex, and acyclic when each becomes one node.

Every node gets a rank. Along a path the rank grows when the path leaves nodes of one colour (a colour being what may
be in one group: device, control context) for anything else, so a path that leaves a group and comes back
arrives with a higher rank. Groups are the connected components of equal colour and rank: contracting them all at once
cannot close a cycle. One sweep in topological order does it, in linear time. A second step joins neighbouring groups
that the ranks keep apart without need (see `tfgraft.passes.join`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from tfgraft.graph.collector import collector_paused
from tfgraft.graph.graph import BACK_EDGE_SOURCE, Graph
from tfgraft.passes.join import Contraction, join


def partition(graph: Graph, colours: Mapping[str, Hashable], order: Sequence[str]) -> list[list[str]]:
    """Return groups of coloured nodes, each in topological order.

    Args:
        graph: the graph; loops' back edges are left out.
        colours: the colour of each candidate, not None; nodes that are not in it belong to no group.
        order: the graph's topological order.
    """
    with collector_paused():
        return _partition(graph, colours, order)


def _partition(graph: Graph, colours: Mapping[str, Hashable], order: Sequence[str]) -> list[list[str]]:
    place = {name: i for i, name in enumerate(order)}
    before = [[place[p] for p in _before(graph, name)] for name in order]
    colour_of = [colours.get(name) for name in order]
    rank = [0] * len(order)
    root = list(range(len(order)))
    for i, colour in enumerate(colour_of):
        highest = 0
        for source in before[i]:
            there = colour_of[source]
            left = there is not None and there != colour
            if rank[source] + left > highest:
                highest = rank[source] + left
        rank[i] = highest
        if colour is not None:
            for source in before[i]:
                if rank[source] == highest and colour_of[source] == colour:
                    _unite(root, source, i)
    numbers: dict[int, int] = {}
    unit_of = [numbers.setdefault(_find(root, i), len(numbers)) for i in range(len(order))]
    pairs = {
        (unit_of[source], unit_of[i])
        for i, colour in enumerate(colour_of)
        if colour is not None
        for source in before[i]
        if unit_of[source] != unit_of[i] and colour_of[source] == colour
    }
    if pairs:
        edges = ((unit_of[source], unit_of[i]) for i, sources in enumerate(before) for source in sources)
        contraction = Contraction(len(numbers), edges)
        join(contraction, pairs, len(numbers))
        unit_of = [contraction.find(unit) for unit in unit_of]
    groups: dict[int, list[str]] = {}
    for i, name in enumerate(order):
        if colour_of[i] is not None:
            groups.setdefault(unit_of[i], []).append(name)
    return list(groups.values())


def _find(root: list[int], i: int) -> int:
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i


def _unite(root: list[int], a: int, b: int) -> None:
    """Unite two sets of a union-find forest; the root is the node that comes first."""
    a, b = _find(root, a), _find(root, b)
    root[max(a, b)] = min(a, b)


def _before(graph: Graph, name: str) -> list[str]:
    return [p for p in graph.predecessors(name) if graph.node(p).op != BACK_EDGE_SOURCE]
