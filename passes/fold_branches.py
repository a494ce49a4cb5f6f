"""fold_branches: of a choice whose condition is known, the branch that is taken, and nothing of the others.

TensorFlow 1 models choose between training and inference by a switch, in dropout for example. Where the switch is a
constant, what it chooses still stands in the graph as control flow, which no engine takes and which parts the nodes
before it from those after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.views import const_source, const_value, needed
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.fold_shapes import FoldShapes, settle
from tfgraft.passes.grappler import Grappler
from tfgraft.passes.inline import Replacement, inline
from tfgraft.passes.trace import Body

_IFS = frozenset({"If", "StatelessIf"})
_CASES = frozenset({"Case", "StatelessCase"})


@dataclass(frozen=True)
class FoldBranches:
    """Folds branches with constant conditions: TensorFlow 1's Switch and Merge, and If and Case, which call functions.

    An If or Case stays where its branch has effects that no result needs: a function's nodes run even if nothing reads
    them, a graph's do not. Shapes must have been inferred; they are inferred anew if anything changed.
    """

    name: ClassVar[str] = "fold_branches"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Fold, in function bodies too, until no more conditions are known."""
        count = 0
        while folded := self._calls(graph, ctx) + _switches(graph, ctx):
            settle(graph, ctx)
            FoldShapes().run(graph, ctx)
            count += folded
        return PassResult(count > 0, f"folded {count} branches")

    def _calls(self, graph: Graph, ctx: PassContext) -> int:
        def take(one: Graph) -> int:
            found = [Replacement(node.name, body) for node in one if (body := _taken(one, node)) is not None]
            inline(one, found)
            return len(found)

        return ctx.rewrite(graph, take)


def _switches(graph: Graph, ctx: PassContext) -> int:
    """Remove what Switch nodes with constant predicates do not choose; return how many of them are gone.

    Those whose results are fetched stay.
    """
    before = _decided(graph, ctx)
    if not before:
        return 0
    # A part of "loop" is to remove dead branches; it knows a predicate that is itself a constant.
    Grappler(("constfold", "loop")).run(graph, ctx)
    return max(0, before - _decided(graph, ctx))


def _decided(graph: Graph, ctx: PassContext) -> int:
    return sum(
        const_source(one, one.inputs(node.name)[1]) is not None
        for one in ctx.graphs(graph)
        for node in one
        if node.op == "Switch" and node.name not in one.fed
    )


def _taken(graph: Graph, node: Node) -> Body | None:
    """Return the branch that an If or Case is known to take, if it may stand in the node's place."""
    if node.op not in _IFS | _CASES or node.name in graph.fed:
        return None
    condition = const_source(graph, graph.inputs(node.name)[0])
    value = None if condition is None else const_value(condition)
    if value is None or value.ndim:  # a condition that is no scalar asks whether it is empty
        return None
    if node.op in _IFS:
        name = node.attrs["then_branch" if value.item() else "else_branch"].name
    else:
        names = [branch.name for branch in node.attrs["branches"]]
        name = names[int(value) if 0 <= int(value) < len(names) else -1]
    body = graph.library.body(name)
    if body is None or graph.library.has_recursion([node]) or len(body.feeds) != len(graph.inputs(node.name)) - 1:
        return None
    arguments, wanted = {ref.node: i + 1 for i, ref in enumerate(body.feeds)}, set(needed(body))
    others = [inner for inner in body if inner.name not in wanted and inner.name not in arguments]
    if any(body.library.opdefs.is_stateful(inner.op) for inner in others):
        return None
    return Body(body, arguments, frozenset(inner.name for inner in others))
