"""Tracing a decomposition: the user's function as a small graph, ready to be put in a node's place."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfgraft.graph.attrs import DType
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.graph.one_node import OneNode
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import NodeView
from tfgraft.graph.views import tensor_infos
from tfgraft.passes.base import PassContext
from tfgraft.passes.grappler import Grappler
from tfgraft.passes.infer_shapes import infer
from tfgraft.registry.entry import Decomposition
from tfgraft.registry.registry import Registry


class TraceError(ValueError):
    """A decomposition that raises, or whose results are not those of the op; the message names its source."""


@dataclass(frozen=True)
class Body:
    """What a decomposition puts in a node's place.

    Args:
        graph: the nodes, with shapes inferred; its fetches are the node's outputs in order.
        inputs: for each node of the graph that stands for one of the node's data inputs, which one.
        unused: nodes of the graph that are left out.
    """

    graph: Graph
    inputs: dict[str, int]
    unused: frozenset[str] = frozenset()


def trace(entry: Decomposition, view: NodeView, node: OneNode) -> Body:
    """Call a decomposition's function on placeholders of the node's input types and shapes (small constants as such).

    Raises:
        TraceError: see there.
    """
    what = f"the decomposition of {entry.op} from {entry.source or 'an unnamed source'}"
    # A tf.function would leave a call behind; what it was made of gives the ops themselves.
    function = getattr(entry.function, "python_function", entry.function)
    graph = tf.Graph()
    with graph.as_default():
        inputs = [_input(i, slot) for i, slot in enumerate(node.inputs)]
        try:
            result = function(*inputs, **_attributes(function, view))
        except Exception as error:
            raise TraceError(f"{what} raised {type(error).__name__}: {error}") from error
        outputs = _outputs(what, result, view, {t.op.name for t in inputs})
    body = from_graph_def(
        graph.as_graph_def(),
        feeds=[TensorRef(t.op.name) for t in inputs if t.op.type == "Placeholder"],
        fetches=[TensorRef(t.op.name, t.value_index) for t in outputs],
    )
    # Sizes that the function computes from known shapes become constants: converters may ask for that.
    Grappler(("constfold",)).run(body, PassContext(Registry()))
    _drop_unused(body)
    infer(body)
    _check_shapes(what, body, view)
    return Body(body, {t.op.name: i for i, t in enumerate(inputs) if t.op.name in body})


def _input(i: int, slot: Any) -> Any:
    if slot.is_constant:
        return tf.constant(slot.array(), name=f"in{i}")
    shape = None if slot.shape is None else [None if d < 0 else d for d in slot.shape]
    return tf.compat.v1.placeholder(tf.as_dtype(slot.dtype), shape, name=f"in{i}")


def _attributes(function: Callable[..., Any], view: NodeView) -> dict[str, Any]:
    """Return the node's attributes for which the function has a keyword-only parameter."""
    wanted = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    return {name: _plain(view.node.attrs[name]) for name in wanted if name in view.node.attrs}


def _plain(value: Any) -> Any:
    if isinstance(value, DType):
        return tf.as_dtype(value.name)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, tuple):
        return tuple(_plain(v) for v in value)
    return tf.make_ndarray(value) if hasattr(value, "tensor_shape") else value


def _outputs(what: str, result: Any, view: NodeView, inputs: set[str]) -> list[Any]:
    values = list(result) if isinstance(result, (list, tuple)) else [result]
    if len(values) != len(view.outputs):
        raise TraceError(f"{what} returned {len(values)} tensors; {view.op} has {len(view.outputs)} outputs")
    outputs = []
    for i, (value, info) in enumerate(zip(values, view.outputs, strict=True)):
        try:
            tensor = value if tf.is_tensor(value) else tf.convert_to_tensor(value, tf.as_dtype(info.dtype))
        except Exception as error:
            raise TraceError(f"{what} returned no tensor as output {i}, but {value!r}") from error
        if tensor.dtype.name != info.dtype:
            raise TraceError(f"{what} returned {tensor.dtype.name} as output {i}; the node's is {info.dtype}")
        # An input or a constant handed through gets a node of its own, which can wait for control inputs.
        outputs.append(tf.identity(tensor) if tensor.op.name in inputs or tensor.op.type == "Const" else tensor)
    return outputs


def _drop_unused(body: Graph) -> None:
    alive = {ref.node for ref in body.fetches} | body.fed
    pending = list(alive)
    while pending:
        for name in body.predecessors(pending.pop()):
            if name not in alive:
                alive.add(name)
                pending.append(name)
    with body.edit() as edit:
        for node in body:
            if node.name not in alive:
                edit.remove(node.name)


def _check_shapes(what: str, body: Graph, view: NodeView) -> None:
    for i, (ref, info) in enumerate(zip(body.fetches, view.outputs, strict=True)):
        got, want = tensor_infos(body, body.node(ref.node))[ref.port].shape, info.shape
        if got is None or want is None:
            continue
        if len(got) != len(want) or any(g != w for g, w in zip(got, want, strict=True) if g >= 0 and w >= 0):
            raise TraceError(f"{what} returned shape {list(got)} as output {i}; the node's is {list(want)}")
