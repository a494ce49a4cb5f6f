"""Partition: cut the candidates of a graph into groups that are convex, and acyclic when each becomes one node.

Every node gets a rank. Along a path the rank grows when the path leaves nodes of one colour (a colour being what may
be in one group: device, control context) for anything else, so a path that leaves a group and comes back
arrives with a higher rank. Groups are the connected components of equal colour and rank: contracting them all at once
cannot close a cycle. One sweep in topological order does it, in linear time. A second step joins neighbouring groups
that the ranks keep apart without need, where a bounded search finds no other path from one to the other.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from networkx.utils import UnionFind

from tfgraft.graph.graph import BACK_EDGE_SOURCE, Graph

_JOIN_BUDGET = 20
"""The joining step looks at this many nodes at most for each node of the graph, so that it stays linear."""


def partition(graph: Graph, colours: Mapping[str, Hashable], order: Sequence[str]) -> list[list[str]]:
    """Return groups of coloured nodes, each in topological order.

    Args:
        graph: the graph; loops' back edges are left out.
        colours: the colour of each candidate; nodes that are not in it belong to no group.
        order: the graph's topological order.
    """
    position = {name: i for i, name in enumerate(order)}
    rank: dict[str, int] = {}
    sets = UnionFind(name for name in order if name in colours)
    for name in order:
        colour = colours.get(name)
        highest = 0
        for before in _before(graph, name):
            there = colours.get(before)
            left = there is not None and there != colour
            highest = max(highest, rank[before] + left)
        rank[name] = highest
        if colour is not None:
            for before in _before(graph, name):
                if colours.get(before) == colour and rank[before] == highest:
                    sets.union(before, name)
    groups: dict[str, list[str]] = {}
    for name in order:
        if name in colours:
            groups.setdefault(sets[name], []).append(name)
    return _join(graph, list(groups.values()), colours, position)


def _before(graph: Graph, name: str) -> list[str]:
    return [p for p in graph.predecessors(name) if graph.node(p).op != BACK_EDGE_SOURCE]


def _after(graph: Graph, name: str) -> list[str]:
    return [] if graph.node(name).op == BACK_EDGE_SOURCE else list(graph.successors(name))


def _join(
    graph: Graph, groups: list[list[str]], colours: Mapping[str, Hashable], position: Mapping[str, int]
) -> list[list[str]]:
    """Join groups with an edge between them where no other path leads from the first to the second."""
    group_of = {name: i for i, group in enumerate(groups) for name in group}
    members: dict[int, list[str]] = dict(enumerate(groups))
    budget = _JOIN_BUDGET * len(position)
    joined = True
    while joined and budget > 0:
        joined = False
        for source in sorted(members):
            if source not in members:
                continue
            targets = {
                group_of[a]
                for name in members[source]
                for a in _after(graph, name)
                if a in group_of and group_of[a] != source and colours[a] == colours[name]
            }
            for target in sorted(targets):
                clear, seen = _no_other_path(graph, members, group_of, position, source, target, budget)
                budget -= seen
                if clear:
                    merged = sorted(members[source] + members.pop(target), key=position.__getitem__)
                    members[source] = merged
                    group_of.update((name, source) for name in merged)
                    joined = True
    return sorted(members.values(), key=lambda group: position[group[0]])


def _no_other_path(
    graph: Graph,
    members: Mapping[int, Sequence[str]],
    group_of: Mapping[str, int],
    position: Mapping[str, int],
    source: int,
    target: int,
    budget: int,
) -> tuple[bool, int]:
    """Search forward from `source`, the direct edges left out, whole groups being passed as one node.

    Return whether `target` was not reached, and how many nodes were looked at; past the budget the answer is no.
    """
    last = max(position[name] for name in members[target])
    pending = [a for name in members[source] for a in _after(graph, name) if group_of.get(a) not in (source, target)]
    visited: set[str | int] = set()
    seen = len(members[source])
    while pending:
        name = pending.pop()
        group = group_of.get(name)
        key: str | int = name if group is None else group
        if key in visited:
            continue
        if group is None and position[name] > last:
            continue
        visited.add(key)
        for one in (name,) if group is None else members[group]:
            seen += 1
            if seen > budget:
                return False, seen
            for after in _after(graph, one):
                there = group_of.get(after)
                if there == target:
                    return False, seen
                if there != source:
                    pending.append(after)
    return True, seen
