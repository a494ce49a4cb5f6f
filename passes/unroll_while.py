"""While nodes that run once: their body's nodes in their place."""

from __future__ import annotations

from tfgraft.graph.functions import LOOPS
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import PASS_THROUGH, const_source, const_value, needed
from tfgraft.passes.inline import Replacement, inline
from tfgraft.passes.trace import Body

_ADDITIONS = frozenset({"Add", "AddV2"})


def unroll_while(graph: Graph) -> int:
    """Inline the body of each loop of a graph that is known to run once; return how many there were.

    A loop whose body has effects stays: a function's nodes run even if nothing reads them, a graph's do not.
    """
    found = []
    for node in graph:
        if node.op in LOOPS and node.name not in graph.fed:
            body = _body(graph, node)
            if body is not None and _runs_once(graph, node, body):
                found.append(Replacement(node.name, _whole(body)))
    inline(graph, found)
    return len(found)


def _body(graph: Graph, node: Node) -> Graph | None:
    body = graph.library.body(node.attrs["body"].name)
    if body is None or graph.library.has_recursion([node]) or len(body.feeds) != len(graph.inputs(node.name)):
        return None
    arguments = {ref.node for ref in body.feeds}
    opdefs = body.library.opdefs
    return None if any(opdefs.is_stateful(n.op) for n in body if n.name not in arguments) else body


def _whole(body: Graph) -> Body:
    inputs = {ref.node: i for i, ref in enumerate(body.feeds)}
    wanted = set(needed(body))
    return Body(body, inputs, frozenset(n.name for n in body) - wanted)


def _runs_once(graph: Graph, node: Node, body: Graph) -> bool:
    """Tell whether the first round is known to be made and the second not to be."""
    asked = graph.library.body(node.attrs["cond"].name)
    if asked is None or len(asked.feeds) != len(body.feeds):
        return False
    places = {ref.node: i for i, ref in enumerate(asked.feeds)}
    outer = graph.inputs(node.name)

    def first(ref: TensorRef) -> int | None:
        """Return the value of a tensor of the condition in the first round."""
        ref = _through(asked, ref)
        return _number(graph, outer[places[ref.node]]) if ref.node in places else _number(asked, ref)

    again = []
    pending = [asked.fetches[0]]
    while pending:
        ref = _through(asked, pending.pop())
        op = asked.node(ref.node).op
        if op == "LogicalAnd":
            pending.extend(asked.inputs(ref.node))
            continue
        if op != "Less":
            return False
        left, right = asked.inputs(ref.node)
        counter, limit = _through(asked, left).node, _through(asked, right).node
        start, end = first(left), first(right)
        if counter not in places or start is None or end is None or not start < end:
            return False
        if limit in places and not _stays(body, places[limit]):
            return False
        step = _step(body, places[counter])
        if step is None:
            return False
        again.append(start + step < end)
    return not all(again)


def _through(graph: Graph, ref: TensorRef) -> TensorRef:
    while graph.node(ref.node).op in PASS_THROUGH:
        ref = graph.inputs(ref.node)[0]
    return ref


def _number(graph: Graph, ref: TensorRef) -> int | None:
    const = const_source(graph, ref)
    if const is None or const.dtype("dtype") not in ("int32", "int64"):
        return None
    value = const_value(const)
    return int(value) if value.ndim == 0 else None


def _stays(body: Graph, place: int) -> bool:
    """Tell whether a loop hands a variable on as it was."""
    return _through(body, body.fetches[place]) == body.feeds[place]


def _step(body: Graph, place: int) -> int | None:
    """Return what is added to a variable in each round, if it is a number."""
    addition = _through(body, body.fetches[place]).node
    if body.node(addition).op not in _ADDITIONS:
        return None
    parts = list(body.inputs(addition))
    own = [p for p in parts if _through(body, p) == body.feeds[place]]
    others = [p for p in parts if p not in own]
    return _number(body, others[0]) if len(own) == len(others) == 1 else None
