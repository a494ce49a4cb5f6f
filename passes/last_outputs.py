"""Lists that keep the last output of a loop, which is a state of it: what is read of them, without them.

A recurrent layer that returns its last output alone writes each step's output into the one element of a list (Keras 3).
That output is what the next step takes for its state, so the state at the end is the list's element. As a recurrence
with states alone a loop can be recognized: tf2onnx, say, takes the list for one of all outputs.
"""

from __future__ import annotations

import numpy as np

from tfgraft.graph.functions import LOOPS
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_source, const_value, through
from tfgraft.passes.counting import number
from tfgraft.passes.fold_arrays import expand


def fold_last_outputs(graph: Graph) -> int:
    """Read the state in place of each stack of such a list, in one graph; return how many there were."""
    found = {}
    for node in graph:
        if node.op == "TensorListStack" and (state := _state(graph, node.name)) is not None:
            found[node.name] = state
    with graph.edit() as edit:
        for name, state in found.items():
            expand(graph, edit, name, state, "element_dtype")
    return len(found)


def _state(graph: Graph, stack: str) -> TensorRef | None:
    """Return the output of a loop that equals the one element of the list that a node stacks, if there is one.

    If the loop makes no round the element is zero: the state then has to be zero at the beginning.
    """
    kept = through(graph, graph.inputs(stack)[0])
    loop = graph.node(kept.node)
    if loop.op not in LOOPS or loop.name in graph.fed:
        return None
    body = graph.library.body(loop.attrs["body"].name)
    before = graph.inputs(loop.name)
    if body is None or len(body.feeds) != len(before):
        return None
    empty = through(graph, before[kept.port])
    if graph.node(empty.node).op != "TensorListReserve" or number(graph, graph.inputs(empty.node)[1]) != 1:
        return None
    write = through(body, body.fetches[kept.port]).node
    if body.node(write).op != "TensorListSetItem":
        return None
    into, index, value = body.inputs(write)[:3]
    if through(body, into) != body.feeds[kept.port] or number(body, index) != 0:
        return None
    written = through(body, value)
    for port, after in enumerate(body.fetches):
        if port != kept.port and through(body, after) == written and _is_zero(graph, before[port]):
            return TensorRef(loop.name, port)
    return None


def _is_zero(graph: Graph, ref: TensorRef) -> bool:
    source = through(graph, ref)
    node = graph.node(source.node)
    if node.op == "ZerosLike":
        return True
    const = const_source(graph, graph.inputs(node.name)[1] if node.op == "Fill" else source)
    return const is not None and not np.any(const_value(const))
