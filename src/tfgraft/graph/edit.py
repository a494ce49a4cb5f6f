"""GraphEdit: a transaction on a graph. All of it is committed, or the graph stays as it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType

from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node, colocated_with, without_colocation
from tfgraft.graph.ref import TensorRef


class EditError(ValueError):
    """An edit that would leave the graph broken; the graph is as it was before."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the edit log: what was done ("add", "remove", "replace", "rewire") to which node."""

    kind: str
    node: str


class GraphEdit:
    """Collects changes and applies them at the end of the `with` block.

    Reading the graph inside the block shows it as it was before; a node added in the block may be used as an input
    at once.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._set: dict[str, Node] = {}
        self._inputs: dict[str, list[TensorRef]] = {}
        self._controls: dict[str, list[str]] = {}
        self._removed: dict[str, None] = {}
        self._fetches = graph.fetches
        self.log: list[Change] = []

    @property
    def changed(self) -> bool:
        """Whether the edit did anything, read off the log."""
        return bool(self.log)

    def __enter__(self) -> GraphEdit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._validate()
            self._commit()

    def add(self, node: Node, inputs: Sequence[TensorRef] = (), controls: Iterable[str] = ()) -> str:
        """Add a node; return its name.

        Raises:
            EditError: the name is taken.
        """
        if self._exists(node.name):
            raise EditError(f"cannot add node {node.name!r}: the name is taken")
        # A removed node may be replaced by a new one of the same name within one edit.
        self._set[node.name] = node
        self._inputs[node.name] = list(inputs)
        self._controls[node.name] = list(dict.fromkeys(controls))
        self.log.append(Change("add", node.name))
        return node.name

    def remove(self, name: str) -> None:
        """Remove a node; nothing may read it any more at the end of the edit."""
        self._require(name)
        for table in (self._set, self._inputs, self._controls):
            table.pop(name, None)
        if name in self._graph:
            self._removed[name] = None
        self.log.append(Change("remove", name))

    def replace(self, node: Node) -> None:
        """Put `node` in the place of the node of that name; inputs stay."""
        self._require(node.name)
        if self._node(node.name) != node:
            self._set[node.name] = node
            self._stage(node.name)
            self.log.append(Change("replace", node.name))

    def set_input(self, name: str, slot: int, ref: TensorRef) -> None:
        """Make data input `slot` of a node read `ref`."""
        inputs, _ = self._stage(name)
        if not 0 <= slot < len(inputs):
            raise EditError(f"node {name!r} has {len(inputs)} inputs; there is no input {slot}")
        if inputs[slot] != ref:
            inputs[slot] = ref
            self.log.append(Change("rewire", name))

    def set_inputs(self, name: str, inputs: Sequence[TensorRef], controls: Iterable[str]) -> None:
        """Set all data and control inputs of a node."""
        old_inputs, old_controls = self._stage(name)
        new = (list(inputs), list(dict.fromkeys(controls)))
        if (old_inputs, old_controls) != new:
            self._inputs[name], self._controls[name] = new
            self.log.append(Change("rewire", name))

    def rewire(self, old: TensorRef, new: TensorRef) -> None:
        """Make every consumer of `old` read `new` instead; fetches keep their names and are not touched.

        The node of `new` itself may go on reading `old`, so that a node can be put between a tensor and what reads it.
        """
        if old.node not in self._graph:
            self._require(old.node)
        for target, _, port in self._graph.consumers(old.node) if old.node in self._graph else ():
            if port == old.port and self._exists(target):
                self._stage(target)
        for name, inputs in self._inputs.items():
            if name != new.node:
                for slot, ref in enumerate(inputs):
                    if ref == old:
                        self.set_input(name, slot, new)

    def rewire_control(self, old: str, new: str) -> None:
        """Make every node that waits for `old` wait for `new` instead; `new` itself may go on waiting for `old`."""
        if old not in self._graph:
            self._require(old)
        for target in self._graph.control_consumers(old) if old in self._graph else ():
            if self._exists(target):
                self._stage(target)
        for name, controls in self._controls.items():
            if name != new and old in controls:
                self.set_inputs(name, self._inputs[name], [new if c == old else c for c in controls])

    def set_fetches(self, fetches: Iterable[TensorRef]) -> None:
        """Set which tensors must stay available (for a function's body: what it returns)."""
        wanted = tuple(fetches)
        if wanted != self._fetches:
            self._fetches = wanted
            self.log.append(Change("rewire", ""))

    def _exists(self, name: str) -> bool:
        return name in self._set or (name in self._graph and name not in self._removed)

    def _require(self, name: str) -> None:
        if not self._exists(name):
            raise EditError(f"there is no node {name!r} in {self._graph!r}")

    def _node(self, name: str) -> Node:
        return self._set[name] if name in self._set else self._graph.node(name)

    def _stage(self, name: str) -> tuple[list[TensorRef], list[str]]:
        self._require(name)
        if name not in self._inputs:
            self._inputs[name] = list(self._graph.inputs(name))
            self._controls[name] = list(self._graph.control_inputs(name))
        return self._inputs[name], self._controls[name]

    def _validate(self) -> None:
        for name, inputs in self._inputs.items():
            for source in [ref.node for ref in inputs] + self._controls[name]:
                if not self._exists(source):
                    raise EditError(f"node {name!r} would read {source!r}, which does not exist")
        for name in self._removed:
            if name in self._set:
                continue
            for target in self._graph.successors(name):
                if self._exists(target) and target not in self._inputs:
                    raise EditError(f"cannot remove node {name!r}: node {target!r} still reads it")
        pinned = {ref.node for ref in (*self._graph.feeds, *self._fetches)} | self._graph.keep
        for name in sorted(pinned):
            if not self._exists(name) and (name in self._graph or name in {f.node for f in self._fetches}):
                raise EditError(f"cannot remove node {name!r}: it is fed, fetched or kept")

    def _commit(self) -> None:
        graph = self._graph
        gone = [name for name in self._removed if name not in self._set]
        graph._g.remove_nodes_from(gone)
        for name in gone:
            del graph._nodes[name]
        graph.facts.forget(self._removed)
        for name, node in self._set.items():
            graph._nodes[name] = node
            graph._g.add_node(name)
            for target in colocated_with(node):
                graph._colocated.setdefault(target, {})[name] = None
        for name in gone:
            for other in graph._colocated.pop(name, ()):
                if other in graph._nodes:
                    graph._nodes[other] = without_colocation(graph._nodes[other], name)
        for name, inputs in self._inputs.items():
            graph._g.remove_edges_from(list(graph._g.in_edges(name, keys=True)))
            for slot, ref in enumerate(inputs):
                graph._g.add_edge(ref.node, name, key=slot, port=ref.port)
            for i, source in enumerate(self._controls[name]):
                graph._g.add_edge(source, name, key=-1 - i)
        graph.fetches = self._fetches
        graph.library.revision += self.changed
