"""Which of the clusters that compete for nodes become engines: those that save most, if they get along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import networkx as nx

from tfgraft.graph.graph import BACK_EDGE_SOURCE, Graph

T = TypeVar("T")


@dataclass(frozen=True)
class Candidate(Generic[T]):
    """A cluster that could be chosen: its graph (a function's name, empty for the main graph), its nodes, its gain."""

    function: str
    nodes: frozenset[str]
    gain: float
    what: T


def assign(graphs: Mapping[str, Graph], candidates: Iterable[Candidate[T]]) -> list[Candidate[T]]:
    """Return disjoint clusters that may all be contracted without closing a cycle, the largest gains first.

    It is greedy: clusters of different engines are mostly either the same nodes or far apart.
    """
    chosen: list[Candidate[T]] = []
    for candidate in sorted(candidates, key=lambda c: -c.gain):
        beside = [c for c in chosen if c.function == candidate.function]
        if any(c.nodes & candidate.nodes for c in beside):
            continue
        if is_acyclic(graphs[candidate.function], [*(c.nodes for c in beside), candidate.nodes]):
            chosen.append(candidate)
    return chosen


def is_acyclic(graph: Graph, groups: Sequence[frozenset[str]]) -> bool:
    """Tell whether a graph has no cycle, the back edges of loops aside, when each group has become one node."""
    unit = {name: i for i, group in enumerate(groups) for name in group}
    contracted: nx.DiGraph[int | str] = nx.DiGraph()
    for node in graph:
        here: int | str = unit.get(node.name, node.name)
        for source in graph.predecessors(node.name):
            there: int | str = unit.get(source, source)
            if there != here and graph.node(source).op != BACK_EDGE_SOURCE:
                contracted.add_edge(there, here)
    return bool(nx.is_directed_acyclic_graph(contracted))
