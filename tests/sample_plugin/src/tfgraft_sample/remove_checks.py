"""A pass: remove CheckNumerics nodes, which keep a graph from becoming engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext, PassResult


@dataclass(frozen=True)
class RemoveChecks:
    """Lets what reads a CheckNumerics node read its input; nodes that are fetched or waited for stay."""

    name: ClassVar[str] = "remove_checks"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Rewrite the main graph."""
        fetched = {ref.node for ref in graph.fetches} | graph.keep
        checks = [n.name for n in graph if n.op == "CheckNumerics" and n.name not in fetched]
        removed = 0
        for name in checks:
            if graph.control_consumers(name) or graph.control_inputs(name):
                continue
            with graph.edit() as edit:
                edit.rewire(TensorRef(name), graph.inputs(name)[0])
                edit.remove(name)
            removed += 1
        return PassResult(removed > 0, f"removed {removed} checks")
