"""Inlining: small graphs in the place of nodes, many at once in one edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.edit import GraphEdit
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import tensor_info
from tfgraft.passes.contexts import contexts
from tfgraft.passes.trace import Body


@dataclass(frozen=True)
class Replacement:
    """A node and what takes its place."""

    node: str
    body: Body


def inline(graph: Graph, replacements: Sequence[Replacement]) -> bool:
    """Put bodies in the place of nodes; return whether anything changed.

    An inner node `x` of node `n` becomes `n/x`, on the device of `n`. What reads `n` reads the body's outputs. The
    name `n` lives on, as an Identity, only where it is fetched, kept or waited for. The control inputs of `n` go to
    the inner nodes that nothing inner precedes.
    """
    if not replacements:
        return False
    frames = contexts(graph, graph.topological())
    moved: dict[TensorRef, TensorRef] = {}
    added: list[tuple[Node, list[TensorRef], list[str]]] = []
    taken: set[str] = set()
    for replacement in replacements:
        _copy(graph, replacement, bool(frames.get(replacement.node)), taken, moved, added)
    names = {replacement.node for replacement in replacements}
    with graph.edit() as edit:
        for node, inputs, controls in added:
            edit.add(node, [moved.get(ref, ref) for ref in inputs], controls)
        readers = {t: None for name in names for t, _, _ in graph.consumers(name) if t not in names}
        for reader in readers:
            refs = [moved.get(ref, ref) for ref in graph.inputs(reader)]
            edit.set_inputs(reader, refs, graph.control_inputs(reader))
        pinned = {ref.node for ref in graph.fetches} | graph.keep
        for replacement in replacements:
            if replacement.node in pinned or graph.control_consumers(replacement.node):
                _keep_name(edit, graph, replacement, moved)
            else:
                edit.remove(replacement.node)
    return edit.changed


def _copy(
    graph: Graph,
    replacement: Replacement,
    in_frame: bool,
    taken: set[str],
    moved: dict[TensorRef, TensorRef],
    added: list[tuple[Node, list[TensorRef], list[str]]],
) -> None:
    """Prepare the nodes of one body under their new names, and note where the outputs moved."""
    old, body = graph.node(replacement.node), replacement.body
    outer = graph.inputs(old.name)
    waits = list(graph.control_inputs(old.name))
    names = {}
    for inner in body.graph:
        if inner.name not in body.inputs and inner.name not in body.unused:
            name, i = f"{old.name}/{inner.name}", 0
            while name in graph or name in taken:
                i += 1
                name = f"{old.name}/{inner.name}_{i}"
            taken.add(name)
            names[inner.name] = name

    def outside(ref: TensorRef) -> TensorRef:
        i = body.inputs.get(ref.node)
        return TensorRef(names[ref.node], ref.port) if i is None else outer[i]

    for inner in body.graph:
        if inner.name not in names:
            continue
        before = body.graph.inputs(inner.name)
        controls = [names[c] for c in body.graph.control_inputs(inner.name) if c in names]
        if inner.op == "Const":
            # A constant is free of control inputs, but inside a V1 loop something must bring it into the frame.
            controls = (waits or [ref.node for ref in outer[:1]]) if in_frame else []
        elif all(ref.node in body.inputs or body.graph.node(ref.node).op == "Const" for ref in before):
            controls += waits
        attrs = Attrs.from_protos({k: inner.attrs.proto(k) for k in inner.attrs if k != "_class"})
        node = Node(names[inner.name], inner.op, old.device, attrs)
        added.append((node, [outside(ref) for ref in before], controls))
    for port, ref in enumerate(body.graph.fetches):
        moved[TensorRef(old.name, port)] = outside(ref)


def _keep_name(edit: GraphEdit, graph: Graph, replacement: Replacement, moved: dict[TensorRef, TensorRef]) -> None:
    old, count = graph.node(replacement.node), len(replacement.body.graph.fetches)
    inputs = [moved[TensorRef(old.name, port)] for port in range(count)]
    types = tuple(DType(tensor_info(graph, TensorRef(old.name, port)).dtype) for port in range(count))
    if count == 1:
        node = Node(old.name, "Identity", old.device, Attrs({"T": types[0]}))
    else:
        node = Node(old.name, "IdentityN", old.device, Attrs({"T": types}))
    edit.replace(node)
    edit.set_inputs(old.name, inputs, ())
