"""free_constants: let constants go of control inputs that change nothing.

TensorFlow's constant folding leaves a control edge from what a constant was computed of: `x -> ^constant -> reshape`,
next to `x -> reshape`. Such an edge parts `x` and `reshape` into two clusters, though nothing more waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tfgraft.graph.graph import Graph
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.contexts import contexts


@dataclass(frozen=True)
class FreeConstants:
    """Drops a constant's control input where nothing with effects is behind it, or all readers wait for it anyway.

    Constants in TensorFlow 1 branches and loops keep theirs: there, a control edge says where the constant belongs.
    """

    name: ClassVar[str] = "free_constants"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Drop such edges, in function bodies too."""
        freed = 0
        for one in ctx.graphs(graph):
            waiting = [node.name for node in one if node.op == "Const" and one.control_inputs(node.name)]
            if not waiting:
                continue
            order = one.topological()
            where = contexts(one, order)
            effects = _effects(one, order)
            pinned = one.fed | one.keep | {ref.node for ref in one.fetches}
            with one.edit() as edit:
                for name in waiting:
                    if name not in pinned and name not in where:
                        edit.set_inputs(name, (), _needed(one, name, effects))
            if edit.changed and one.name:
                one.library.write_back(one)
            freed += len(edit.log)
        return PassResult(freed > 0, f"freed {freed} constants")


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
