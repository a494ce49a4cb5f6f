"""free_constants: drop control edges to and from constants that change nothing.

TensorFlow's constant folding leaves a control edge from what a constant was computed of: `x -> ^constant -> reshape`,
next to `x -> reshape`. Such an edge parts `x` and `reshape` into two clusters, though nothing more waits for it.

In a function of Keras everything ends in a NoOp that waits for each variable to be read. Where variables have become
constants, that keeps every one of them in the graph, also those that engines have in another form.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import ClassVar

from tfgraft.graph.graph import Graph
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.contexts import contexts

_THERE = frozenset({"Const", "Identity", "NoOp"})
"""Ops that are there before anything runs, unless they read or wait for another."""


@dataclass(frozen=True)
class FreeConstants:
    """Drops a constant's control input where nothing with effects is behind it, or all readers wait for it anyway.

    Nobody has to wait for a constant, nor for a NoOp that waits for constants alone.

    Constants in TensorFlow 1 branches and loops keep theirs: there, a control edge says where the constant belongs.
    """

    name: ClassVar[str] = "free_constants"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Drop such edges, in function bodies too."""
        freed = ctx.rewrite(graph, _drop_edges)
        return PassResult(freed > 0, f"dropped control edges of {freed} nodes")


def _drop_edges(graph: Graph) -> int:
    if not any(_has_edge(graph, node.name) for node in graph):
        return 0
    order = graph.topological()
    where = contexts(graph, order)
    return _free(graph, order, where) + _let_go(graph, order, where)


def _has_edge(graph: Graph, name: str) -> bool:
    """Tell whether a node has control edges that this pass is about."""
    controls = graph.control_inputs(name)
    return bool(controls) and (graph.node(name).op == "Const" or any(graph.node(c).op in _THERE for c in controls))


def _free(graph: Graph, order: list[str], where: Container[str]) -> int:
    """Drop control inputs of constants; return of how many."""
    effects = _effects(graph, order)
    pinned = graph.fed | graph.keep | {ref.node for ref in graph.fetches}
    with graph.edit() as edit:
        for name in order:
            if graph.node(name).op == "Const" and name not in pinned and name not in where:
                edit.set_inputs(name, (), _needed(graph, name, effects))
    return len(edit.log)


def _let_go(graph: Graph, order: list[str], where: Container[str]) -> int:
    """Drop control inputs from what is there before anything runs; return of how many nodes."""
    there: set[str] = set()
    with graph.edit() as edit:
        for name in order:
            controls = graph.control_inputs(name)
            needed = [c for c in controls if c not in there]
            if len(needed) < len(controls):
                edit.set_inputs(name, graph.inputs(name), needed)
            op = graph.node(name).op
            waits = needed or name in where or name in graph.fed
            if op in _THERE and not waits and all(ref.node in there for ref in graph.inputs(name)):
                there.add(name)
    return len(edit.log)


def _effects(graph: Graph, order: list[str]) -> set[str]:
    """Return the nodes that have effects or come after one that has: waiting for them may be there to run that one."""
    found: set[str] = set()
    for name in order:
        op = graph.node(name).op
        if op != "Placeholder" and (
            graph.library.opdefs.is_stateful(op) or any(p in found for p in graph.predecessors(name))
        ):
            found.add(name)
    return found


def _needed(graph: Graph, name: str, effects: set[str]) -> list[str]:
    readers = [set(graph.predecessors(reader)) for reader in graph.successors(name)]
    return [s for s in graph.control_inputs(name) if s in effects and not (readers and all(s in r for r in readers))]
