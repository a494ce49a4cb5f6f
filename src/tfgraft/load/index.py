"""An index of a GraphDef: reading a proto's fields is slow, so each is read once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tfgraft.graph.ref import TensorRef


@dataclass(frozen=True)
class GraphIndex:
    """A GraphDef's nodes by name, with what they read.

    Args:
        graph_def: the graph.
        nodes: the NodeDefs.
        producers: for each node the nodes that it reads, by data and by control edges, in the order of its inputs.
        placeholders: the placeholders, in the order of the graph.
    """

    graph_def: Any
    nodes: dict[str, Any]
    producers: dict[str, tuple[str, ...]]
    placeholders: tuple[Any, ...]

    @classmethod
    def of(cls, graph_def: Any) -> GraphIndex:
        """Index a graph; of two nodes with one name the last counts."""
        nodes: dict[str, Any] = {}
        producers: dict[str, tuple[str, ...]] = {}
        placeholders = []
        for node in graph_def.node:
            name = node.name
            nodes[name] = node
            producers[name] = tuple([producer_of(text) for text in node.input])
            if node.op.startswith("Placeholder"):
                placeholders.append(node)
        return cls(graph_def, nodes, producers, tuple(placeholders))

    def reachable(self, outputs: Iterable[str], stop: frozenset[str] = frozenset()) -> set[str]:
        """Return the names of the nodes that the outputs need, through data and control edges.

        Args:
            outputs: tensor or node names.
            stop: nodes that are fed: they are reached, what is before them is not.
        """
        todo = [TensorRef.parse(name).node for name in outputs]
        seen: set[str] = set(todo)
        while todo:
            name = todo.pop()
            if name in stop:
                continue
            for producer in self.producers[name]:
                if producer not in seen:
                    seen.add(producer)
                    todo.append(producer)
        return seen


def producer_of(text: str) -> str:
    """Return the node that an input of a NodeDef ("x", "x:1", "^x") names."""
    return text[1:] if text[:1] == "^" else text.partition(":")[0]
