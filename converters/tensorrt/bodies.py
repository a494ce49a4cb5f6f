"""Functions that a node calls: whether all of a function's nodes are taken, and their layers in place of the call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tfgraft.converters.tensorrt.context import PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.nodes import NO_ENTRIES, convert_nodes
from tfgraft.graph.attrs import FunctionRef
from tfgraft.graph.functions import FUNCTIONAL_CONTROL_FLOW
from tfgraft.graph.graph import Graph
from tfgraft.graph.opdefs import ARG
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import NodeView, Shape, TensorInfo, without_symbols
from tfgraft.graph.views import (
    PASS_THROUGH,
    TENSORS,
    const_source,
    const_value,
    input_view,
    needed,
    node_view,
    tensor_info,
)
from tfgraft.registry.entry import Converter
from tfgraft.registry.support import SUPPORTED, Support, Supported, Unsupported


def body_of(view: NodeView, attr: str, arguments: Sequence[TensorInfo]) -> Graph:
    """Return the body of the function that an attribute names, its shapes inferred.

    Args:
        arguments: types and shapes that the call gives; used where nobody has inferred the body's shapes yet.

    Raises:
        ValueError: the body cannot be read.
    """
    function = view.node.attrs.get(attr)
    name = function.name if isinstance(function, FunctionRef) else ""
    body = view.library.body(name) if view.library is not None and name in view.library else None
    if body is None or len(body.feeds) != len(arguments):
        raise ValueError(f"the function {name!r} of {view.name!r} cannot be read")
    if not body.facts.table(TENSORS):
        _infer(body, [without_symbols(info.shape) for info in arguments])
    return body


def try_shapes(body: Graph, shapes: Sequence[Shape]) -> list[Shape]:
    """Return the shapes of a body's results for other shapes of its arguments; None where TensorFlow cannot tell."""
    known = dict(body.facts.table(TENSORS))
    try:
        _infer(body, list(shapes))
        return [tensor_info(body, ref).shape for ref in body.fetches]
    finally:
        body.facts.clear(TENSORS)
        body.facts.update(TENSORS, known)


def _infer(body: Graph, shapes: list[Shape]) -> None:
    from tfgraft.passes.infer_shapes import infer  # a process that only runs engines needs no passes

    try:
        infer(body, shapes)
    except Exception:  # Grappler raises several kinds; types alone still serve
        body.facts.update(TENSORS, {ref.node: (TensorInfo(_dtype(body, ref)),) for ref in body.feeds})


def _dtype(body: Graph, ref: TensorRef) -> str:
    return body.node(ref.node).dtype("T")


def source(body: Graph, ref: TensorRef) -> TensorRef:
    """Return what a tensor is a copy of."""
    while body.node(ref.node).op in PASS_THROUGH:
        ref = body.inputs(ref.node)[0]
    return ref


def check_body(view: NodeView, body: Graph, own: Mapping[str, Converter] = NO_ENTRIES) -> Support:
    """Say whether every node of a body is taken.

    Args:
        view: the node that calls it, as the registry asks about it.
        own: entries, by op, that come before the registry's.
    """
    assert view.resolve is not None, view.name
    for node in body:
        stateful = body.library.opdefs.is_stateful(node.op)
        if stateful and node.op not in FUNCTIONAL_CONTROL_FLOW and node.op != ARG:
            return Unsupported(
                "stateful",
                f"{view.op} calls {body.name}, where {node.name} ({node.op}) has state or side effects.",
                node.op,
            )
    for name in needed(body):
        node = body.node(name)
        if node.op in ("Const", ARG) or node.op in PASS_THROUGH:
            continue
        inner = node_view(body, name)
        entry = own.get(node.op)
        support = view.resolve(inner).support if entry is None else entry.support(replace(inner, resolve=view.resolve))
        if not isinstance(support, Supported):
            return replace(
                support,
                message=f"{view.op} calls {body.name}, where {name} ({node.op}) is refused: {support.message}",
                culprit=node.op,
            )
    for i, ref in enumerate(body.fetches):
        info = input_view(body, ref).info
        if info.dtype not in PLAIN | {"variant"}:
            return Unsupported("dtype", f"Result {i} of {body.name} has type {info.dtype}.", f"output {i}")
    return SUPPORTED


def convert_body(
    ctx: TensorRtContext,
    body: Graph,
    arguments: Sequence[Any],
    own: Mapping[str, Converter] = NO_ENTRIES,
    results: Sequence[TensorRef] | None = None,
) -> list[Any]:
    """Add a body's layers; return its results, or some of its tensors, in TensorFlow's order. See `convert_nodes`."""
    wanted = body.fetches if results is None else results
    inside = ctx.inside()
    for ref, tensor in zip(body.feeds, arguments, strict=True):
        inside.hold(ref, tensor)
    convert_nodes(inside, body, needed(body, wanted), own)
    return [_result(inside, body, ref) for ref in wanted]


def _result(ctx: TensorRtContext, body: Graph, ref: TensorRef) -> Any:
    node = const_source(body, ref)
    return ctx.value(ref) if node is None else ctx.const(const_value(node))
