"""Node views of a graph's nodes, made from the facts that `infer_shapes` found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.python.framework import tensor_util

from tfgraft.graph import dtypes
from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.facts import Fact
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import Input, NodeView, TensorInfo

TENSORS: Fact[tuple[TensorInfo, ...]] = Fact("tensors")
"""Types and shapes of a node's outputs."""

PASS_THROUGH = frozenset({"Identity", "Snapshot", "StopGradient", "PreventGradient", "_EagerConst"})
"""Ops whose output is their input."""
_VALUES = {"float32": "float_val", "int32": "int_val", "int64": "int64_val", "bool": "bool_val"}
"""Where a TensorProto holds a value that all elements share, by type."""


def tensor_infos(graph: Graph, node: Node) -> tuple[TensorInfo, ...]:
    """Return types and shapes of a node's outputs; without facts the types alone, from the OpDef."""
    infos = graph.facts.get(TENSORS, node.name)
    if infos is not None:
        return infos
    if node.op == "Const":
        return (const_info(node),)
    types = graph.library.opdefs.output_types(node)
    return tuple(TensorInfo(t) for t in types or ())


def tensor_info(graph: Graph, ref: TensorRef) -> TensorInfo:
    """Return the type and shape of a tensor."""
    infos = tensor_infos(graph, graph.node(ref.node))
    return infos[ref.port] if ref.port < len(infos) else TensorInfo("invalid")


def const_info(node: Node) -> TensorInfo:
    """Return the type and shape of a Const node, without decoding its value."""
    tensor = node.attrs.proto("value").tensor
    return TensorInfo(dtypes.name_of(tensor.dtype), tuple(d.size for d in tensor.tensor_shape.dim))


def through(graph: Graph, ref: TensorRef) -> TensorRef:
    """Return where a tensor comes from, through nodes that pass it on, or into a TensorFlow 1 loop."""
    while (graph.node(ref.node).op in PASS_THROUGH or graph.node(ref.node).op == "Enter") and ref.node not in graph.fed:
        ref = graph.inputs(ref.node)[0]
    return ref


def const_source(graph: Graph, ref: TensorRef) -> Node | None:
    """Return the Const node that a tensor comes from, through pass-through nodes at most, else None."""
    node = graph.node(ref.node)
    while node.op in PASS_THROUGH and node.name not in graph.fed:
        node = graph.node(graph.inputs(node.name)[0].node)
    return node if node.op == "Const" and node.name not in graph.fed else None


def const_value(node: Node) -> NDArray[Any]:
    """Return the value of a Const node."""
    tensor = node.attrs.proto("value").tensor
    dtype = dtypes.name_of(tensor.dtype)
    if tensor.tensor_content and dtype in dtypes.PLAIN:  # TensorFlow's own reader takes ten times as long
        return np.frombuffer(tensor.tensor_content, dtype).reshape([d.size for d in tensor.tensor_shape.dim]).copy()
    if (values := _VALUES.get(dtype)) is not None and len(getattr(tensor, values)) == 1:
        return np.full([d.size for d in tensor.tensor_shape.dim], getattr(tensor, values)[0], dtype)
    array: NDArray[Any] = tensor_util.MakeNdarray(tensor)
    return array


def const_node(name: str, value: NDArray[Any]) -> Node:
    """Return a Const node with a value."""
    proto = tensor_util.make_tensor_proto(value)
    return Node(name, "Const", attrs=Attrs({"dtype": DType(dtypes.name_of(proto.dtype)), "value": proto}))


def node_view(graph: Graph, name: str) -> NodeView:
    """Return the view of a node that registry entries get."""
    node = graph.node(name)
    inputs = tuple(input_view(graph, ref) for ref in graph.inputs(name))
    return NodeView(node, inputs, tensor_infos(graph, node), graph.library)


def input_view(graph: Graph, ref: TensorRef) -> Input:
    """Return the view of a tensor as somebody's input."""
    const = const_source(graph, ref)
    if const is None:
        return Input(ref, tensor_info(graph, ref))
    # The ref of a constant is that of its Const node: two Identity nodes of one constant are the same.
    return Input(TensorRef(const.name), const_info(const), True, _reader(const))


def _reader(node: Node) -> Callable[[], NDArray[Any]]:
    return lambda: const_value(node)


def needed(graph: Graph, results: Sequence[TensorRef] | None = None) -> list[str]:
    """Return the nodes that some tensors, by default the graph's fetches, need, in topological order."""
    found: set[str] = set()
    pending = [ref.node for ref in (graph.fetches if results is None else results)]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(ref.node for ref in graph.inputs(name))
    return [name for name in graph.topological() if name in found]
