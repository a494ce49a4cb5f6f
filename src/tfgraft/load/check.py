"""Checks that a GraphDef is a graph: names, ops, edges, cycles, variables."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from tensorflow.python.framework import op_def_registry

from tfgraft.errors import ModelError, listing, nearest
from tfgraft.load.index import GraphIndex

_VARIABLES = frozenset({"Variable", "VariableV2", "AutoReloadVariable", "VarHandleOp", "TemporaryVariable"})
RUNTIME_OP = "TfGraft>Engine"


def check_graph(graph_def: Any, source: str) -> GraphIndex:
    """Check what can be checked without importing the graph, and return its index; linear in its size.

    Raises:
        ModelError: the graph is empty, or has nodes without name or op, names twice, unknown ops, inputs that do
            not exist, or a cycle that no loop closes.
    """
    if not graph_def.node:
        raise ModelError(f"{source} holds an empty graph.", "Is it the right file, and was it written to the end?")
    _check_nodes(graph_def, source)
    check_ops(graph_def, source)
    index = GraphIndex.of(graph_def)
    for name, producers in index.producers.items():
        for i, producer in enumerate(producers):
            if producer not in index.nodes:
                node = index.nodes[name]
                raise ModelError(
                    f"Node {name!r} ({node.op}) of {source} reads {node.input[i]!r}, which does not exist.",
                    nearest(producer, index.nodes) or "The file is damaged, or was cut out of a larger graph.",
                )
    _check_cycles(index, source)
    return index


def _check_nodes(graph_def: Any, source: str) -> None:
    names: set[str] = set()
    for i, node in enumerate(graph_def.node):
        if not node.name or not node.op:
            missing = "op" if node.name else "name"
            raise ModelError(
                f"Node {node.name or i!r} of {source} has no {missing}: this is not a TensorFlow graph.",
                "Give a SavedModel directory, or a frozen GraphDef written by SerializeToString().",
            )
        if node.name in names:
            raise ModelError(f"{source} has two nodes named {node.name!r}.", "Names must be unique in a graph.")
        names.add(node.name)


def check_ops(graph_def: Any, source: str) -> None:
    """Check that TensorFlow knows every op, in the graph and in its functions.

    Raises:
        ModelError: listing the ops that are not registered.
    """
    functions = {f.signature.name for f in graph_def.library.function}
    used = Counter(node.op for node in graph_def.node)
    for function in graph_def.library.function:
        used.update(node.op for node in function.node_def)
    if RUNTIME_OP in used:
        import tfgraft.runtime  # noqa: F401  (registers the op)
    unknown = sorted(op for op in used if op not in functions and op_def_registry.get(op) is None)
    if unknown:
        raise ModelError(
            f"{source} uses ops that this TensorFlow does not know: {listing(unknown)}.",
            "If they are custom ops, load the library that registers them first (tf.load_op_library, or import "
            "its package); they then stay native.",
        )


def check_frozen(index: GraphIndex, used: set[str], source: str) -> None:
    """Check that no variable is left in the part of the graph that is used.

    Raises:
        ModelError: naming the variables.
    """
    variables = [name for name, node in index.nodes.items() if name in used and node.op in _VARIABLES]
    if variables:
        raise ModelError(
            f"{source} is not frozen: it has variables without values ({listing(variables)}).",
            "Give the SavedModel instead, or freeze it with "
            "tf.compat.v1.graph_util.convert_variables_to_constants in a session that has restored them.",
        )


def _check_cycles(index: GraphIndex, source: str) -> None:
    # Only the edge out of a NextIteration may close a cycle: without those edges the graph must sort.
    back = {name for name, node in index.nodes.items() if node.op in ("NextIteration", "RefNextIteration")}
    waiting: dict[str, int] = {}
    readers: dict[str, list[str]] = {}
    for name, every in index.producers.items():
        producers = [p for p in every if p not in back] if back else every
        waiting[name] = len(producers)
        for producer in producers:
            readers.setdefault(producer, []).append(name)
    ready = deque(name for name, count in waiting.items() if count == 0)
    sorted_nodes = 0
    while ready:
        sorted_nodes += 1
        for reader in readers.get(ready.popleft(), ()):
            waiting[reader] -= 1
            if waiting[reader] == 0:
                ready.append(reader)
    if sorted_nodes < len(waiting):
        stuck = _one_cycle({name for name, count in waiting.items() if count > 0}, index, back)
        raise ModelError(
            f"{source} has a cycle that is not a loop: {' -> '.join(stuck)}.",
            "Only loops that close with NextIteration may go round.",
        )


def _one_cycle(stuck: set[str], index: GraphIndex, back: set[str]) -> list[str]:
    # Every stuck node reads a stuck node, so walking upstream must come round.
    upstream = {name: next(p for p in index.producers[name] if p in stuck and p not in back) for name in stuck}
    name = min(stuck)
    path: list[str] = []
    while name not in path:
        path.append(name)
        name = upstream[name]
    cycle = [*path[path.index(name) :], name]
    return list(reversed(cycle if len(cycle) <= 6 else [*cycle[:3], "...", *cycle[-2:]]))
