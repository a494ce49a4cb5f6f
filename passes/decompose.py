"""decompose: replace ops that the engine does not take by simpler TensorFlow ops that it does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

from tfgraft.graph.graph import Graph
from tfgraft.graph.one_node import OneNode
from tfgraft.graph.view import NodeView
from tfgraft.graph.views import PASS_THROUGH, node_view
from tfgraft.passes.base import NodeError, PassContext, PassResult
from tfgraft.passes.infer_shapes import InferShapes, infer
from tfgraft.passes.inline import Replacement, inline
from tfgraft.passes.trace import Body, TraceError, trace
from tfgraft.plugins.protocol import converter_sets
from tfgraft.registry.entry import LAYERS, Decomposition
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Supported, Unsupported

DECOMPOSED = "decomposed"
"""The key in `PassContext.results`: the source of the decomposition used, by (function, node)."""


@dataclass(frozen=True)
class Decompose:
    """Decomposes nodes for the context's engine, in the main graph and in function bodies.

    A decomposition is used where no converter takes the node, or where it comes from a stronger layer than the
    converter that would: a user's decomposition beats a built-in converter, a built-in decomposition beats none. It is
    used only if the engine takes all that it is made of, further decompositions included; within its own result it
    is not used again. Shapes are inferred anew if anything changed.
    """

    name: ClassVar[str] = "decompose"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Decompose.

        Raises:
            NodeError: a decomposition raised, or its results are not those of the op.
        """
        builder = ctx.registry.engines.get(ctx.engine)
        if builder is None:
            return PassResult(summary=f"no engine {ctx.engine!r} to decompose for")
        work = _Work(ctx.registry, converter_sets(builder, ctx.options))
        changed = False
        for one in ctx.graphs(graph):
            changed = work.rewrite(one, ()) or changed
        ctx.results[DECOMPOSED] = work.nodes
        for (op, source), count in sorted(work.done.items()):
            ctx.say(self.name, "info", "decomposed", f"{count} {op} decomposed by {source or 'a decomposition'}.")
        for (op, source), reason in sorted(work.unused.items()):
            ctx.say(
                self.name, "info", "not-decomposed", f"The decomposition of {op} from {source} is not used: {reason}"
            )
        if changed:
            InferShapes().run(graph, ctx)
        return PassResult(changed, f"decomposed {sum(work.done.values())} nodes")


@dataclass
class _Work:
    registry: Registry
    sets: tuple[str, ...]
    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    nodes: dict[tuple[str, str], str] = field(default_factory=dict)
    unused: dict[tuple[str, str], str] = field(default_factory=dict)
    _bodies: dict[tuple[Decomposition, OneNode, tuple[Decomposition, ...]], Body | str] = field(default_factory=dict)
    """What was traced; for a body that is of no use, why."""
    _by_op: dict[str, list[Decomposition]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for entry in self.registry.decompositions():
            self._by_op.setdefault(entry.op, []).append(entry)

    def rewrite(self, graph: Graph, active: tuple[Decomposition, ...]) -> bool:
        """Decompose the nodes of a graph in one edit; `active` are the decompositions whose result this graph is."""
        replacements = []
        for node in graph:
            if node.op in self._by_op and node.name not in graph.fed:
                found = self._choose(node_view(graph, node.name), active)
                if found is not None:
                    entry, body = found
                    replacements.append(Replacement(node.name, body))
                    if not active:
                        self.done[node.op, entry.source] += 1
                        self.nodes[graph.name, node.name] = entry.source
        changed = inline(graph, replacements)
        if changed and graph.name:
            graph.library.write_back(graph)
        return changed

    def _choose(self, view: NodeView, active: tuple[Decomposition, ...]) -> tuple[Decomposition, Body] | None:
        resolution = self.registry.resolve(view, self.sets)
        limit = len(LAYERS) if resolution.chosen is None else LAYERS.index(resolution.chosen.layer)
        node: OneNode | None = None
        for entry in self._by_op[view.op]:
            if LAYERS.index(entry.layer) >= limit:
                return None
            if entry in active:
                continue
            support = entry.check(view)
            if isinstance(support, Unsupported):
                self.unused[view.op, entry.source] = str(support)
                continue
            node = node or OneNode.of(view)
            body = self._body(entry, view, node, active)
            if isinstance(body, Body):
                return entry, body
            self.unused[view.op, entry.source] = body
        return None

    def _body(
        self, entry: Decomposition, view: NodeView, node: OneNode, active: tuple[Decomposition, ...]
    ) -> Body | str:
        key = (entry, node, active)
        if key not in self._bodies:
            try:
                body = trace(entry, view, node)
            except TraceError as error:
                raise NodeError(view.name, str(error)) from error
            if self.rewrite(body.graph, (*active, entry)):
                infer(body.graph)
            self._bodies[key] = self._obstacle(body) or body
        return self._bodies[key]

    def _obstacle(self, body: Body) -> str:
        """Return why the engine does not take the whole body, or nothing."""
        for inner in body.graph:
            if inner.op == "Const" or inner.op in PASS_THROUGH or inner.name in body.inputs:
                continue
            resolution = self.registry.resolve(node_view(body.graph, inner.name), self.sets)
            if not isinstance(resolution.support, Supported):
                return f"it needs {inner.op}: {resolution.support}"
        return ""
