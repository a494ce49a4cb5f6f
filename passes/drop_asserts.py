"""drop_asserts: checks that cannot fail are not made.

Layers assert what they are told of their inputs. Once shapes are constants most of it holds for good, yet the Assert
stays: an op with effects, which no engine takes, and which whatever comes after it waits for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.views import const_source, const_value
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.contexts import contexts
from tfgraft.passes.prune import Prune


@dataclass(frozen=True)
class DropAsserts:
    """Puts a NoOp in the place of each Assert whose condition is a constant that holds.

    Nodes in TensorFlow 1 branches and loops stay: it is their inputs that make them part of one.
    """

    name: ClassVar[str] = "drop_asserts"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Drop them in function bodies too."""
        count = ctx.rewrite(graph, _drop)
        if count:
            Prune().run(graph, ctx)  # what they would have printed
        return PassResult(count > 0, f"dropped {count} asserts")


def _drop(graph: Graph) -> int:
    held = [node for node in graph if node.op == "Assert" and _holds(graph, node)]
    if not held:
        return 0
    where = contexts(graph, graph.topological())
    outside = [node for node in held if node.name not in where]
    with graph.edit() as edit:
        for node in outside:
            waits = graph.control_inputs(node.name)
            edit.replace(Node(node.name, "NoOp", node.device))
            edit.set_inputs(node.name, (), waits)
    return len(outside)


def _holds(graph: Graph, node: Node) -> bool:
    condition = const_source(graph, graph.inputs(node.name)[0])
    return condition is not None and bool(const_value(condition).all())
