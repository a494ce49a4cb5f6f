"""While nodes that run once: their body's nodes in their place."""

from __future__ import annotations

from tfgraft.graph.functions import LOOPS
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import needed, through
from tfgraft.passes.counting import added, compared, number
from tfgraft.passes.inline import Replacement, inline
from tfgraft.passes.trace import Body


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
        place = places.get(through(asked, ref).node)
        return number(asked, ref) if place is None else number(graph, outer[place])

    again = []
    for left, right in compared(asked, asked.fetches[0]) or ():
        counter, limit = (places.get(through(asked, ref).node) for ref in (left, right))
        start, end = first(left), first(right)
        if counter is None or start is None or end is None or not start < end:
            return False
        if limit is not None and through(body, body.fetches[limit]) != body.feeds[limit]:
            return False
        step = added(body, body.feeds[counter], body.fetches[counter])
        if step is None:
            return False
        again.append(start + step < end)
    return bool(again) and not all(again)
