"""prune: drop what no fetch needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tfgraft.graph.graph import Graph
from tfgraft.passes.base import PassContext, PassResult


@dataclass(frozen=True)
class Prune:
    """Removes nodes that neither fetches nor keep-nodes reach backwards.

    In a function's body the stateful nodes stay too: a function runs them even if nothing reads their outputs.
    """

    name: ClassVar[str] = "prune"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Prune the main graph and the bodies of the functions it calls."""
        removed, changed = 0, False
        for one in ctx.graphs(graph):
            dead = _dead(one)
            with one.edit() as edit:
                for name in dead:
                    edit.remove(name)
            if edit.changed and one.name:
                one.library.write_back(one)
            removed += len(dead)
            changed = changed or edit.changed
        return PassResult(changed, f"removed {removed} nodes")


def _dead(graph: Graph) -> list[str]:
    roots = {ref.node for ref in graph.fetches} | graph.keep | graph.fed
    if graph.name:
        roots |= {node.name for node in graph if graph.library.opdefs.is_stateful(node.op)}
    elif not graph.fetches:
        return []  # nobody said what is needed
    alive, pending = set(roots), list(roots)
    while pending:
        for name in graph.predecessors(pending.pop()):
            if name not in alive:
                alive.add(name)
                pending.append(name)
    return [node.name for node in graph if node.name not in alive]
