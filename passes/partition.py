"""Partition: cut the candidates of a graph into groups that are convex, and acyclic when each becomes one node.

Every node gets a rank. Along a path the rank grows when the path leaves nodes of one colour (a colour being what may
be in one group: device, control context) for anything else, so a path that leaves a group and comes back
arrives with a higher rank. Groups are the connected components of equal colour and rank: contracting them all at once
cannot close a cycle. One sweep in topological order does it, in linear time. A second step joins neighbouring groups
that the ranks keep apart without need (see `tfgraft.passes.join`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from networkx.utils import UnionFind

from tfgraft.graph.graph import BACK_EDGE_SOURCE, Graph
from tfgraft.passes.join import Contraction, join


def partition(graph: Graph, colours: Mapping[str, Hashable], order: Sequence[str]) -> list[list[str]]:
    """Return groups of coloured nodes, each in topological order.

    Args:
        graph: the graph; loops' back edges are left out.
        colours: the colour of each candidate; nodes that are not in it belong to no group.
        order: the graph's topological order.
    """
    before = {name: _before(graph, name) for name in order}
    rank: dict[str, int] = {}
    sets: UnionFind[str] = UnionFind()
    for name in order:
        colour = colours.get(name)
        highest = 0
        for source in before[name]:
            there = colours.get(source)
            left = there is not None and there != colour
            highest = max(highest, rank[source] + left)
        rank[name] = highest
        if colour is not None:
            sets[name]  # a group of its own, until it is united with others
            for source in before[name]:
                if rank[source] == highest and colours.get(source) == colour:
                    sets.union(source, name)
    unit_of: dict[str, int] = {}
    numbers: dict[str, int] = {}
    for name in order:
        root = sets[name] if name in colours else name
        unit_of[name] = numbers.setdefault(root, len(numbers))
    edges = [(unit_of[source], unit_of[name]) for name in order for source in before[name]]
    pairs = {
        (unit_of[source], unit_of[name])
        for name in order
        if name in colours
        for source in before[name]
        if unit_of[source] != unit_of[name] and colours.get(source) == colours[name]
    }
    if pairs:
        contraction = Contraction(len(numbers), edges)
        join(contraction, pairs, len(numbers))
        unit_of = {name: contraction.find(unit) for name, unit in unit_of.items()}
    groups: dict[int, list[str]] = {}
    for name in order:
        if name in colours:
            groups.setdefault(unit_of[name], []).append(name)
    return list(groups.values())


def _before(graph: Graph, name: str) -> list[str]:
    return [p for p in graph.predecessors(name) if graph.node(p).op != BACK_EDGE_SOURCE]
