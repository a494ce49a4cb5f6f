"""inline_calls: put a function's nodes in the place of its call, where the engine takes all of them.

TensorFlow inlines most calls while a model is loaded. It leaves those of functions that XLA must compile, as Keras
makes them around grouped convolutions: an engine that takes every op of one compiles it as well as XLA, and as a part
of its cluster. A function with anything else in it stays a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.functions import called
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.opdefs import ARG
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import without_symbols
from tfgraft.graph.views import PASS_THROUGH, TENSORS, needed, node_view, tensor_info
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.infer_shapes import InferShapes, infer
from tfgraft.passes.inline import Replacement, inline
from tfgraft.passes.trace import Body
from tfgraft.plugins.protocol import converter_sets
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Supported

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
"""Ops that call a function, and do nothing else."""


@dataclass(frozen=True)
class InlineCalls:
    """Inlines calls for the context's engine, in the main graph and in function bodies; needs inferred shapes.

    Shapes are inferred anew if anything changed.
    """

    name: ClassVar[str] = "inline_calls"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Inline."""
        builder = ctx.registry.engines.get(ctx.engine)
        if builder is None:
            return PassResult(summary=f"no engine {ctx.engine!r} to inline for")
        sets = converter_sets(builder, ctx.options)
        decomposed = frozenset(entry.op for entry in ctx.registry.decompositions())
        count = 0
        for one in ctx.graphs(graph):
            calls = [node for node in one if node.op in CALLS and node.name not in one.fed]
            changed = False
            for node in calls:  # one at a time: calls of one function share its body, with other shapes each
                body = _body(one, node, ctx.registry, sets, decomposed)
                if body is not None:
                    before = {each.name for each in one}
                    changed = inline(one, [Replacement(node.name, body)]) or changed
                    _guard(one, [each.name for each in one if each.name not in before])
                    count += 1
            if changed and one.name:
                one.library.write_back(one)
        if count:
            InferShapes().run(graph, ctx)
        return PassResult(bool(count), f"inlined {count} calls")


def _body(
    graph: Graph, node: Node, registry: Registry, sets: tuple[str, ...], decomposed: frozenset[str]
) -> Body | None:
    """Return the body of the function that a node calls, with the call's shapes, if the engine takes all of it."""
    names = [name for name in called(node) if name in graph.library]
    body = graph.library.body(names[0]) if len(names) == 1 else None
    arguments = graph.inputs(node.name)
    if body is None or len(body.feeds) != len(arguments) or graph.library.has_recursion([node]):
        return None
    wanted = set(needed(body))
    if any(body.library.opdefs.is_stateful(inner.op) for inner in body if inner.op != ARG):
        return None
    try:
        infer(body, [without_symbols(tensor_info(graph, ref).shape) for ref in arguments])
        if not all(_taken(body, name, registry, sets, decomposed) for name in wanted):
            return None
    except Exception:  # Grappler raises several kinds; a function that it does not understand stays a call
        return None
    finally:
        body.facts.clear(TENSORS)
    inputs = {ref.node: i for i, ref in enumerate(body.feeds)}
    return Body(body, inputs, frozenset(inner.name for inner in body) - wanted)


def _guard(graph: Graph, names: Sequence[str]) -> None:
    """Put a node between each grouped convolution and what reads it, where that stays in TensorFlow.

    TensorFlow's own optimizer fuses a convolution on the CPU with the addition behind it, and then has no kernel for
    one with groups. For engines the node is nothing.
    """
    with graph.edit() as edit:
        for name in names:
            node = graph.node(name)
            if node.op == "Conv2D" and _has_groups(graph, name):
                guard = Node(
                    graph.unique_name(f"{name}/result"), "Snapshot", node.device, Attrs({"T": DType(node.dtype("T"))})
                )
                edit.add(guard, [TensorRef(name)])
                edit.rewire(TensorRef(name), TensorRef(guard.name))


def _has_groups(graph: Graph, convolution: str) -> bool:
    data, kernel = (tensor_info(graph, ref).shape for ref in graph.inputs(convolution))
    channels = -1 if graph.node(convolution).text("data_format", "NHWC") == "NHWC" else 1
    return data is None or kernel is None or data[channels] != kernel[2]


def _taken(body: Graph, name: str, registry: Registry, sets: tuple[str, ...], decomposed: frozenset[str]) -> bool:
    node = body.node(name)
    if node.op in ("Const", ARG) or node.op in PASS_THROUGH:
        return True
    return node.op in decomposed or isinstance(registry.resolve(node_view(body, name), sets).support, Supported)
