"""Random acyclic graphs for hypothesis, and the graph that remains when groups become one node each."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
from hypothesis import strategies as st
from tensorflow.core.framework import graph_pb2

from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def


@dataclass(frozen=True)
class Dag:
    """A random graph: names in the order of the GraphDef, edges (from, to, control?), and colours of candidates."""

    names: tuple[str, ...]
    edges: tuple[tuple[str, str, bool], ...]
    colours: Mapping[str, Hashable]

    def graph_def(self, order: Sequence[str] | None = None) -> Any:
        """Return it as a GraphDef of ops that TensorFlow does not know, nodes in the given order."""
        graph_def = graph_pb2.GraphDef()
        for name in order or self.names:
            node = graph_def.node.add(name=name, op="Opaque")
            node.input.extend(source for source, target, control in self.edges if target == name and not control)
            node.input.extend(f"^{source}" for source, target, control in self.edges if target == name and control)
        return graph_def

    def graph(self, order: Sequence[str] | None = None) -> Graph:
        """Return it as a graph."""
        return from_graph_def(self.graph_def(order))


@st.composite
def dags(draw: st.DrawFn, most: int = 24, colours: int = 2) -> Dag:
    """Draw a graph of up to `most` nodes; each is a candidate of one of some colours, or none."""
    count = draw(st.integers(1, most))
    topological = [f"n{i}" for i in range(count)]
    possible = [(a, b) for b in range(count) for a in range(b)]
    chosen = draw(st.lists(st.sampled_from(possible), unique=True, max_size=3 * count)) if possible else []
    controls = draw(st.sets(st.sampled_from(chosen), max_size=4)) if chosen else set()
    colour = {name: draw(st.sampled_from([None, 0, 0, *range(colours)])) for name in topological}
    names = draw(st.permutations(topological))
    return Dag(
        tuple(names),
        tuple((topological[a], topological[b], (a, b) in controls) for a, b in chosen),
        {name: c for name, c in colour.items() if c is not None},
    )


def contracted(graph: Graph, groups: Sequence[Sequence[str]]) -> nx.DiGraph[Any]:
    """Return the graph in which each group is one node."""
    group_of = {name: i for i, group in enumerate(groups) for name in group}
    result: nx.DiGraph[Any] = nx.DiGraph()
    result.add_nodes_from(group_of.get(n, n) for n in graph.view)
    for source, target in graph.view.edges():
        a, b = group_of.get(source, source), group_of.get(target, target)
        if a != b:
            result.add_edge(a, b)
    return result


def is_convex(graph: Graph, group: Sequence[str]) -> bool:
    """Tell whether no path leaves the group and comes back."""
    inside = set(group)
    view = nx.DiGraph(graph.view)
    below = {d for name in group for d in nx.descendants(view, name)} - inside
    above = {a for name in group for a in nx.ancestors(view, name)} - inside
    return not below & above
