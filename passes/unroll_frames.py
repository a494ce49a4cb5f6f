"""TensorFlow 1 loops that run once: their body as ordinary nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.edit import GraphEdit
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import through
from tfgraft.passes.counting import added, compared, number


@dataclass(frozen=True)
class _Variable:
    """What a loop carries from one round to the next; `switch` and `exit` are empty where nothing reads them."""

    enter: str
    merge: str
    next: str
    switch: str
    exit: str


@dataclass(frozen=True)
class _Frame:
    """A loop: its variables, the Enter nodes of what it only reads, and its LoopCond."""

    variables: tuple[_Variable, ...]
    constants: tuple[str, ...]
    condition: str


def unroll_frames(graph: Graph) -> int:
    """Unroll the loops of a graph that are known to run once; return how many there were."""
    count = 0
    for enters in _frames(graph):
        if all(name in graph for name in enters):
            frame = _read(graph, enters)
            if frame is not None and _runs_once(graph, frame):
                _unroll(graph, frame)
                count += 1
    return count


def _frames(graph: Graph) -> list[list[str]]:
    """Return the Enter nodes of each frame."""
    found: dict[str, list[str]] = {}
    for node in graph:
        if node.op == "Enter":
            found.setdefault(node.text("frame_name"), []).append(node.name)
    return list(found.values())


def _read(graph: Graph, enters: Sequence[str]) -> _Frame | None:
    """Return the loop that some Enter nodes belong to; None if it has another form than TensorFlow's own."""
    variables, constants, conditions = [], [], set()
    pinned = graph.fed | graph.keep | {ref.node for ref in graph.fetches}
    for enter in enters:
        merges = [t for t, _, _ in graph.consumers(enter) if _is_head(graph, t)]
        if not merges:
            constants.append(enter)
            continue
        merge = merges[0]
        readers = graph.consumers(merge)
        switches = [t for t, slot, _ in readers if slot == 0 and _condition(graph, t)]
        switch = switches[0] if switches else ""
        outside = [t for t, _, port in graph.consumers(switch) if port == 0] if switch else []
        if (
            len(graph.consumers(enter)) != 1
            or len(switches) > 1
            or any(port != 0 for _, _, port in readers)
            or any(graph.node(t).op != "Exit" for t in outside)
            or len(outside) > 1
            or {enter, merge, switch} & pinned
        ):
            return None
        following = next(r.node for r in graph.inputs(merge) if graph.node(r.node).op == "NextIteration")
        if switch:
            conditions.add(_condition(graph, switch))
        variables.append(_Variable(enter, merge, following, switch, outside[0] if outside else ""))
    if len(conditions) != 1 or pinned & set(constants):
        return None
    (condition,) = conditions
    own = {v.switch for v in variables}
    if any(t not in own for t, _, _ in graph.consumers(condition)) or _has_effects(graph, condition):
        return None
    return _Frame(tuple(variables), tuple(constants), condition)


def _is_head(graph: Graph, name: str) -> bool:
    inputs = [graph.node(ref.node).op for ref in graph.inputs(name)]
    return graph.node(name).op == "Merge" and "NextIteration" in inputs


def _condition(graph: Graph, switch: str) -> str:
    """Return the LoopCond that a node asks, if it is a loop's Switch."""
    if graph.node(switch).op != "Switch":
        return ""
    asked = graph.inputs(switch)[1].node
    return asked if graph.node(asked).op == "LoopCond" else ""


def _has_effects(graph: Graph, condition: str) -> bool:
    """Tell whether asking for the next round does anything."""
    pending, seen = [condition], {condition}
    while pending:
        name = pending.pop()
        op = graph.node(name).op
        if op in ("Merge", "Enter"):
            continue
        if graph.library.opdefs.is_stateful(op):
            return True
        for before in graph.predecessors(name):
            if before not in seen:
                seen.add(before)
                pending.append(before)
    return False


def _runs_once(graph: Graph, frame: _Frame) -> bool:
    """Tell whether the first round is known to be made and the second not to be."""
    merges = {v.merge: v for v in frame.variables}
    again = []
    for left, right in compared(graph, graph.inputs(frame.condition)[0]) or ():
        variable, limit = merges.get(through(graph, left).node), number(graph, right)
        if variable is None or limit is None:
            return False
        first = number(graph, graph.inputs(variable.enter)[0])
        step = added(graph, TensorRef(variable.switch, 1), graph.inputs(variable.next)[0])
        if first is None or step is None or not first < limit:
            return False
        again.append(first + step < limit)
    return bool(again) and not all(again)


def _unroll(graph: Graph, frame: _Frame) -> None:
    with graph.edit() as edit:
        for variable in frame.variables:
            if variable.exit:
                _leave(edit, graph, variable)
        for variable in frame.variables:
            start = graph.inputs(variable.enter)[0]
            for gone in (TensorRef(variable.merge), TensorRef(variable.switch, 1)):
                if gone.node:
                    edit.rewire(gone, start)
            for name in (variable.enter, variable.merge, variable.switch, variable.next):
                if name:
                    edit.rewire_control(name, start.node)
        for enter in frame.constants:
            edit.rewire(TensorRef(enter), graph.inputs(enter)[0])
            edit.rewire_control(enter, graph.inputs(enter)[0].node)
        edit.rewire_control(frame.condition, graph.inputs(frame.variables[0].enter)[0].node)
        for variable in frame.variables:
            for name in (variable.enter, variable.merge, variable.switch, variable.next):
                if name:
                    edit.remove(name)
        for name in (*frame.constants, frame.condition):
            edit.remove(name)


def _leave(edit: GraphEdit, graph: Graph, variable: _Variable) -> None:
    """Make what leaves the loop what would begin the next round; the name stays."""
    old = graph.node(variable.exit)
    edit.replace(Node(old.name, "Identity", old.device, Attrs({"T": DType(old.dtype("T"))})))
    edit.set_inputs(old.name, graph.inputs(variable.next)[:1], graph.control_inputs(old.name))
