"""What loops count with: numbers, what is added to a counter, what it is compared with."""

from __future__ import annotations

from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_value, through

_ADDITIONS = frozenset({"Add", "AddV2"})


def number(graph: Graph, ref: TensorRef) -> int | None:
    """Return the value of a tensor that is a constant whole number, else None."""
    node = graph.node(through(graph, ref).node)
    if node.op != "Const" or node.name in graph.fed or node.dtype("dtype") not in ("int32", "int64"):
        return None
    value = const_value(node)
    return int(value) if value.ndim == 0 else None


def added(graph: Graph, before: TensorRef, after: TensorRef) -> int | None:
    """Return the constant that makes one tensor of another by addition, else None."""
    addition = through(graph, after).node
    if graph.node(addition).op not in _ADDITIONS:
        return None
    parts = list(graph.inputs(addition))
    own = [part for part in parts if through(graph, part) == before]
    others = [part for part in parts if part not in own]
    return number(graph, others[0]) if len(own) == len(others) == 1 else None


def compared(graph: Graph, ref: TensorRef) -> list[tuple[TensorRef, TensorRef]] | None:
    """Return the pairs `a`, `b` of which a tensor says that `a < b` for all of them, else None."""
    found = []
    pending = [ref]
    while pending:
        node = graph.node(through(graph, pending.pop()).node)
        if node.op == "LogicalAnd":
            pending.extend(graph.inputs(node.name))
        elif node.op == "Less":
            left, right = graph.inputs(node.name)
            found.append((left, right))
        else:
            return None
    return found
