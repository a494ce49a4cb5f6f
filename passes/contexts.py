"""Control contexts: which TensorFlow 1 branch or loop each node is in.

A node downstream of a Switch is dead when the branch is not taken, and a dead input makes an op dead. An engine that
mixed nodes of different branches would be dead too often, so only nodes of one context may share a cluster.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfgraft.graph.graph import BACK_EDGE_SOURCE, Graph
from tfgraft.graph.views import PASS_THROUGH

Context = frozenset[str]
NOWHERE: Context = frozenset()


def contexts(graph: Graph, order: Sequence[str]) -> dict[str, Context]:
    """Return, for each node inside a branch or loop, the set of branches and frames that it is in.

    A Switch adds `predicate:output`, an Enter its frame; a Merge keeps what its inputs share, an Exit leaves its
    frame and the loop's own branch. Nodes outside everything are left out.
    """
    if not any(node.op in ("Switch", "Enter", "RefSwitch", "RefEnter") for node in graph):
        return {}
    found: dict[str, Context] = {}
    interned: dict[Context, Context] = {}
    for name in order:
        node = graph.node(name)
        tokens: set[str] = set()
        sources: list[Context] = []
        for ref in graph.inputs(name):
            if graph.node(ref.node).op == BACK_EDGE_SOURCE:
                continue
            context = found.get(ref.node, NOWHERE)
            if graph.node(ref.node).op in ("Switch", "RefSwitch"):
                context = context | {f"{_predicate(graph, ref.node)}:{ref.port}"}
            sources.append(context)
        if node.op in ("Merge", "RefMerge"):
            tokens.update(frozenset.intersection(*sources) if sources else NOWHERE)
        else:
            tokens.update(*sources)
        for control in graph.control_inputs(name):
            tokens.update(found.get(control, NOWHERE))
        if node.op in ("Enter", "RefEnter"):
            tokens.add(f"frame {node.text('frame_name')}")
        elif node.op in ("Exit", "RefExit"):
            tokens = _left(graph, name, tokens)
        if tokens:
            context = frozenset(tokens)
            found[name] = interned.setdefault(context, context)
    return found


def _predicate(graph: Graph, switch: str) -> str:
    """Return the tensor that a Switch asks; one branch asks the same predicate through several Identity nodes."""
    ref = graph.inputs(switch)[1]
    while graph.node(ref.node).op in PASS_THROUGH:
        ref = graph.inputs(ref.node)[0]
    return str(ref)


def _left(graph: Graph, name: str, tokens: set[str]) -> set[str]:
    """Leave the innermost frame: the Exit's Switch belongs to the loop, its Merge's Enter names the frame."""
    switch = graph.inputs(name)[0].node
    loop = {f"{_predicate(graph, switch)}:{port}" for port in (0, 1)} if graph.node(switch).op == "Switch" else set()
    frames = {token for token in tokens if token.startswith("frame ")}
    if graph.node(switch).op == "Switch":
        merge = graph.inputs(switch)[0].node
        enters = [r.node for r in graph.inputs(merge) if graph.node(r.node).op in ("Enter", "RefEnter")]
        frames = {f"frame {graph.node(e).text('frame_name')}" for e in enters}
    return tokens - loop - frames
