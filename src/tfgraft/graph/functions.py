"""FunctionLibrary: the functions of a graph, kept verbatim, and their bodies as graphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import networkx as nx
from tensorflow.core.framework import function_pb2

from tfgraft.graph import dtypes
from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.opdefs import ARG, OpDefs
from tfgraft.graph.ref import TensorRef, control_source

LOOPS = frozenset({"While", "StatelessWhile"})
FUNCTIONAL_CONTROL_FLOW = (
    LOOPS | {"If", "Case", "StatelessIf", "StatelessCase"} | {"PartitionedCall", "StatefulPartitionedCall"}
)
"""Control flow whose branches and bodies are functions; declared stateful even where the functions are not."""
MUST_COMPILE = "_XlaMustCompile"
"""The attribute of functions, and of calls, that XLA compiles as a whole."""
OUTLINED = "_tfgraft_outlined"
"""The attribute of functions that were made out of nodes and are asked about as a whole: nothing is done inside."""


class FunctionLibrary:
    """Functions by name, in order. A body that nobody asks for is never decoded and is written back verbatim."""

    def __init__(self, library: Any | None = None) -> None:
        """`library` is a `FunctionDefLibrary` proto; it is copied."""
        self._proto = function_pb2.FunctionDefLibrary()
        if library is not None:
            self._proto.CopyFrom(library)
        self._functions: dict[str, Any] = {f.signature.name: f for f in self._proto.function}
        self._bodies: dict[str, Graph | None] = {}
        self.opdefs = OpDefs(self._functions)
        self.revision = 0  # grows with every change of a function, and of any graph with this library

    def __contains__(self, name: object) -> bool:
        return name in self._functions

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def get(self, name: str) -> Any:
        """Return the `FunctionDef` proto of a function (of its state before pending edits of its body)."""
        return self._functions[name]

    def add(self, function: Any) -> None:
        """Add a `FunctionDef`, or replace the one of that name."""
        name = function.signature.name
        self.revision += 1
        self._bodies.pop(name, None)
        if name in self._functions:
            self._functions[name].CopyFrom(function)
        else:
            self._proto.function.add().CopyFrom(function)
            self._functions[name] = self._proto.function[-1]

    def remove(self, name: str) -> None:
        """Remove a function that nothing calls."""
        self.revision += 1
        del self._proto.function[next(i for i, f in enumerate(self._proto.function) if f.signature.name == name)]
        # Deleting moves the messages behind it.
        self._functions.clear()
        self._functions.update((f.signature.name, f) for f in self._proto.function)
        self._bodies.pop(name, None)

    def unique_name(self, wanted: str) -> str:
        """Return `wanted`, or `wanted_1`, ... so that no function has the name yet."""
        name, i = wanted, 0
        while name in self._functions:
            i += 1
            name = f"{wanted}_{i}"
        return name

    def body(self, name: str) -> Graph | None:
        """Return a function's body as a graph, the same one each time; edits of it are written by `to_proto`.

        Arguments are nodes of op `_Arg`, what is returned are the graph's fetches. None if the body cannot be read
        as a graph (an op that TensorFlow does not know, an argument that is a list, an input that does not exist).
        """
        if name not in self._bodies:
            try:
                body = _read_body(self, self._functions[name])
            except (KeyError, IndexError, ValueError):  # TensorFlow may never run it: it stays as it is
                body = None
            self._bodies[name] = body
        return self._bodies[name]

    def bodies(self) -> list[Graph]:
        """Return the bodies that were asked for."""
        return [body for body in self._bodies.values() if body is not None]

    def write_back(self, body: Graph) -> None:
        """Write an edited body into its function, signature and attributes kept."""
        _write_body(self, body, self._functions[body.name])

    def to_proto(self) -> Any:
        """Return the library as a `FunctionDefLibrary` proto."""
        return self._proto

    def reachable(self, nodes: Iterable[Node]) -> list[str]:
        """Return the functions that some nodes call, directly or through other functions, in order of discovery.

        Functions marked `OUTLINED`, and what only they call, are left out.
        """
        if not self._functions:
            return []
        return self.reachable_from(name for node in nodes for name in called(node))

    def compiled(self, nodes: Iterable[Node]) -> set[str]:
        """Return the functions that XLA must compile as a whole, among those that some nodes reach, and what they call.

        XLA takes no op of ours, so nothing may be put into them.
        """
        if not self._functions:
            return set()
        nodes = list(nodes)
        roots = {name for node in nodes if node.attrs.get(MUST_COMPILE) is True for name in called(node)}
        for name in self.reachable(nodes):
            function = self._functions[name]
            if MUST_COMPILE in function.attr and function.attr[MUST_COMPILE].b:
                roots.add(name)
            for node_def in function.node_def:
                if MUST_COMPILE in node_def.attr and node_def.attr[MUST_COMPILE].b:
                    roots.update(called_by(node_def))
        return set(self.reachable_from(sorted(roots)))

    def has_recursion(self, nodes: Iterable[Node]) -> bool:
        """Tell whether a function that some nodes reach calls itself, directly or through others."""
        calls: nx.DiGraph[str] = nx.DiGraph()
        for name in self.reachable(nodes):
            calls.add_edges_from((name, other) for n in self._functions[name].node_def for other in called_by(n))
        return not nx.is_directed_acyclic_graph(calls)

    def reachable_from(self, names: Iterable[str]) -> list[str]:
        """Return the functions among some names and what they call; see `reachable`."""
        found: dict[str, None] = {}
        pending = [name for name in names if name in self]
        while pending:
            name = pending.pop()
            if name in found or OUTLINED in self._functions[name].attr:
                continue
            found[name] = None
            for node_def in self._functions[name].node_def:
                pending.extend(c for c in called_by(node_def) if c in self)
        return list(found)


def called(node: Node) -> list[str]:
    """Return the names of the functions that a node refers to: its function attributes and its op."""
    return [node.op, *node.attrs.functions]


def called_by(node_def: Any) -> Iterator[str]:
    """Yield the names of the functions that a `NodeDef` refers to, and its op."""
    yield node_def.op
    for value in node_def.attr.values():
        if value.HasField("func"):
            yield value.func.name
        for func in value.list.func:
            yield func.name


def _read_body(library: FunctionLibrary, function: Any) -> Graph | None:
    from tfgraft.graph.graphdef import add_node_defs, node_from_def

    signature = function.signature
    if any(arg.number_attr or arg.type_list_attr or not arg.type for arg in signature.input_arg):
        return None
    graph = Graph(library, signature.name, feeds=[TensorRef(arg.name) for arg in signature.input_arg])
    offsets: dict[str, dict[str, int]] = {}
    for node_def in function.node_def:
        outputs = library.opdefs.outputs(node_from_def(node_def))
        if outputs is None:
            return None
        offset, starts = 0, {}
        for arg_name, count in outputs:
            starts[arg_name] = offset
            offset += count
        offsets[node_def.name] = starts
    args = {arg.name for arg in signature.input_arg}

    def resolve(text: str) -> TensorRef:
        name, *rest = text.split(":")
        if name in args:
            return TensorRef(name, 0)
        return TensorRef(name, offsets[name][rest[0]] + int(rest[1]))

    arg_nodes: list[tuple[Node, list[TensorRef], list[str]]] = []
    for i, arg in enumerate(signature.input_arg):
        attrs = {"T": DType(dtypes.name_of(arg.type)), "index": i}
        arg_nodes.append((Node(arg.name, ARG, attrs=Attrs(attrs)), [], []))
    body_nodes = []
    for node_def in function.node_def:
        data = [resolve(t) for t in node_def.input if control_source(t) is None]
        controls = [c for t in node_def.input if (c := control_source(t)) is not None]
        body_nodes.append((node_from_def(node_def), data, controls))
    add_node_defs(graph, [*arg_nodes, *body_nodes])
    returns = dict(function.ret)  # reading a proto's map by a missing key would add it
    graph.fetches = tuple(resolve(returns[arg.name]) for arg in signature.output_arg)
    graph.keep = frozenset(function.control_ret.values())
    return graph


def _write_body(library: FunctionLibrary, body: Graph, function: Any) -> None:
    from tfgraft.graph.graphdef import node_to_def

    args = {arg.name for arg in function.signature.input_arg}

    def text(ref: TensorRef) -> str:
        if ref.node in args:
            return ref.node
        return library.opdefs.body_text(body.node(ref.node), ref.port)

    node_defs = []
    for node in body:
        if node.name in args:
            continue
        node_def = node_to_def(node)
        node_def.input.extend(text(ref) for ref in body.inputs(node.name))
        node_def.input.extend(f"^{c}" for c in body.control_inputs(node.name))
        node_defs.append(node_def)
    returns = {arg.name: text(ref) for arg, ref in zip(function.signature.output_arg, body.fetches, strict=True)}
    del function.node_def[:]
    function.node_def.extend(node_defs)
    for name, value in returns.items():
        function.ret[name] = value
