"""Graph: a TensorFlow graph in networkx, read through views and changed through transactions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import networkx as nx

from tfgraft.graph.facts import Facts
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef

if TYPE_CHECKING:
    from tfgraft.graph.edit import GraphEdit
    from tfgraft.graph.functions import FunctionLibrary

BACK_EDGE_SOURCE = "NextIteration"
"""TensorFlow 1 loops: the edges that leave these ops close the cycle of a while loop."""


class Graph:
    """A graph of `Node`s over a private `networkx.MultiDiGraph`.

    An edge's key is the slot of the data input it feeds (0, 1, ...) or, for a control input, a negative number (-1
    for the first, -2 for the second, ...); the attribute `port` of a data edge is the output it comes from. Nodes
    keep the order of the GraphDef.

    Args:
        name: empty for a main graph, the function's name for the graph of a function's body.
        library: the function library, shared between a main graph and its bodies.
        feeds: tensors that are fed from outside; nothing may be rewritten across them.
        fetches: tensors that must stay available under their names.
        keep: further nodes that must stay.

    Attributes:
        fed: the names of the nodes behind `feeds`.
        facts: what passes found out about the nodes.
        extra: versions and debug information of the GraphDef as a serialized GraphDef, kept verbatim.
    """

    def __init__(
        self,
        library: FunctionLibrary,
        name: str = "",
        feeds: Iterable[TensorRef] = (),
        fetches: Iterable[TensorRef] = (),
        keep: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.library = library
        self.feeds = tuple(feeds)
        self.fed = frozenset(ref.node for ref in self.feeds)
        self.fetches = tuple(fetches)
        self.keep = frozenset(keep)
        self.facts = Facts()
        self.extra = b""
        self._g: Any = nx.MultiDiGraph()  # the stubs of networkx know string keys only
        # networkx's own dicts: the views on them cost several times as much, for every node of every pass.
        self._pred: dict[str, dict[str, dict[int, dict[str, Any]]]] = vars(self._g)["_pred"]
        self._succ: dict[str, dict[str, dict[int, dict[str, Any]]]] = vars(self._g)["_succ"]
        self._nodes: dict[str, Node] = {}
        self._colocated: dict[str, dict[str, None]] = {}  # who wants to be placed with a node

    @property
    def view(self) -> nx.MultiDiGraph[str]:
        """A read-only networkx view: every networkx algorithm works on it."""
        return self._g.copy(as_view=True)

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __repr__(self) -> str:
        where = f"function {self.name!r}" if self.name else "graph"
        return f"<{where}: {len(self)} nodes, {self._g.number_of_edges()} edges>"

    def node(self, name: str) -> Node:
        """Return a node.

        Raises:
            KeyError: there is no such node.
        """
        try:
            return self._nodes[name]
        except KeyError:
            raise KeyError(f"there is no node {name!r} in {self!r}") from None

    def inputs(self, name: str) -> tuple[TensorRef, ...]:
        """Return a node's data inputs in order."""
        slots = [
            (key, TensorRef(source, data["port"]))
            for source, edges in self._pred[name].items()
            for key, data in edges.items()
            if key >= 0
        ]
        slots.sort(key=lambda slot: slot[0])
        return tuple(ref for _, ref in slots)

    def control_inputs(self, name: str) -> tuple[str, ...]:
        """Return the nodes that a node waits for by control edges, in order."""
        slots = [(key, source) for source, edges in self._pred[name].items() for key in edges if key < 0]
        slots.sort(reverse=True)
        return tuple(source for _, source in slots)

    def consumers(self, name: str) -> list[tuple[str, int, int]]:
        """Return (node, input slot, output port) for each data edge that leaves a node."""
        return [
            (target, key, data["port"])
            for target, edges in self._succ[name].items()
            for key, data in edges.items()
            if key >= 0
        ]

    def control_consumers(self, name: str) -> list[str]:
        """Return the nodes that wait for a node by a control edge."""
        return [t for t, edges in self._succ[name].items() if any(key < 0 for key in edges)]

    def predecessors(self, name: str) -> Iterator[str]:
        """Iterate over the nodes before a node, by data or control edges, each once."""
        return iter(self._pred[name])

    def successors(self, name: str) -> Iterator[str]:
        """Iterate over the nodes after a node, by data or control edges, each once."""
        return iter(self._succ[name])

    def topological(self) -> list[str]:
        """Return all node names in topological order, the back edges of loops left out; deterministic.

        Nodes on a cycle that no `NextIteration` closes are missing from the result; `verify` names them.
        """
        waiting: dict[str, int] = {}
        ready: deque[str] = deque()
        for name in self._nodes:
            count = sum(1 for p in self._pred[name] if self._nodes[p].op != BACK_EDGE_SOURCE)
            if count:
                waiting[name] = count
            else:
                ready.append(name)
        order = []
        while ready:
            name = ready.popleft()
            order.append(name)
            if self._nodes[name].op == BACK_EDGE_SOURCE:
                continue
            for successor in self._succ[name]:
                waiting[successor] -= 1
                if not waiting[successor]:
                    ready.append(successor)
        return order

    def unique_name(self, wanted: str) -> str:
        """Return `wanted`, or `wanted_1`, `wanted_2`, ... so that no node has the name yet."""
        name, i = wanted, 0
        while name in self._nodes:
            i += 1
            name = f"{wanted}_{i}"
        return name

    def edit(self) -> GraphEdit:
        """Begin a transaction: `with graph.edit() as e: ...` commits at the end or leaves the graph as it was."""
        from tfgraft.graph.edit import GraphEdit  # edit.py needs this class: a cycle otherwise

        return GraphEdit(self)

    def verify(self) -> list[str]:
        """Return what is wrong with the graph, one sentence each; an empty list means that it is sound."""
        problems = []
        for name in self._nodes:
            keys = sorted(key for edges in self._pred[name].values() for key in edges if key >= 0)
            if keys != list(range(len(keys))):
                problems.append(f"node {name!r} has a gap in its inputs: slots {keys}")
        order = self.topological()
        if len(order) != len(self._nodes):
            stuck = sorted(set(self._nodes) - set(order))
            problems.append(f"there is a cycle through {', '.join(repr(n) for n in stuck[:5])}")
        for kind, refs in (("feed", self.feeds), ("fetch", self.fetches)):
            for ref in refs:
                if ref.node not in self._nodes:
                    problems.append(f"{kind} {str(ref)!r}: there is no node {ref.node!r}")
                    continue
                node = self._nodes[ref.node]
                types = self.library.opdefs.output_types(node)
                if types is not None and ref.port >= len(types):
                    problems.append(f"{kind} {str(ref)!r}: node {ref.node!r} ({node.op}) has {len(types)} outputs")
        problems.extend(f"keep: there is no node {n!r}" for n in sorted(self.keep) if n not in self._nodes)
        problems.extend(self._bad_ports())
        return problems

    def _bad_ports(self) -> Iterator[str]:
        for name, node in self._nodes.items():
            ports = {port for _, _, port in self.consumers(name)}
            if ports and max(ports) > 0:  # port 0 is checked for free: nearly every op has it
                types = self.library.opdefs.output_types(node)
                if types is not None and max(ports) >= len(types):
                    yield f"node {name!r} ({node.op}) has {len(types)} outputs, but {name}:{max(ports)} is read"
