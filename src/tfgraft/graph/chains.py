"""Chains: following a tensor to what reads it, through nodes that only copy."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import PASS_THROUGH, const_source, const_value


def is_pinned(graph: Graph, ref: TensorRef) -> bool:
    """Tell whether a tensor must stay available under its name."""
    return ref in graph.fetches or ref.node in graph.keep or ref.node in graph.fed


def readers(graph: Graph, ref: TensorRef) -> list[tuple[str, int]]:
    """Return (node, slot) of every node that reads a tensor, copies of it followed; in a fixed order."""
    found: list[tuple[str, int]] = []
    for name, slot, port in graph.consumers(ref.node):
        if port != ref.port:
            continue
        if graph.node(name).op in PASS_THROUGH and name not in graph.fed:
            found.extend(readers(graph, TensorRef(name)))
        else:
            found.append((name, slot))
    return found


def copies(graph: Graph, ref: TensorRef) -> list[TensorRef]:
    """Return a tensor and all that are mere copies of it."""
    found = [ref]
    for name, _, port in graph.consumers(ref.node):
        if port == ref.port and graph.node(name).op in PASS_THROUGH and name not in graph.fed:
            found.extend(copies(graph, TensorRef(name)))
    return found


def only_reader(graph: Graph, ref: TensorRef) -> tuple[str, int] | None:
    """Return (node, slot) of the one node that reads a tensor; None if there are several, or it is fetched."""
    found = readers(graph, ref)
    if len(found) != 1 or any(is_pinned(graph, copy) for copy in copies(graph, ref)):
        return None
    return found[0]


def original(graph: Graph, ref: TensorRef) -> TensorRef:
    """Return what a tensor is a copy of."""
    while graph.node(ref.node).op in PASS_THROUGH and ref.node not in graph.fed:
        ref = graph.inputs(ref.node)[0]
    return ref


def constant_side(graph: Graph, name: str, slot: int) -> NDArray[Any] | None:
    """Return the value of a node's data input, if it is a constant."""
    refs = graph.inputs(name)
    const = const_source(graph, refs[slot]) if 0 <= slot < len(refs) else None
    return None if const is None else const_value(const)
