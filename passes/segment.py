"""Segments: a cluster's original nodes as a TensorFlow function, for when its engine cannot run, or to be called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow.core.framework import function_pb2

from tfgraft.graph import dtypes
from tfgraft.graph.attrs import Attrs, DType, FunctionRef
from tfgraft.graph.functions import OUTLINED, FunctionLibrary, called_by
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import node_to_def
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import without_symbols
from tfgraft.graph.views import const_source, tensor_info
from tfgraft.plugins.protocol import Cluster

_LOWER = "_lower_using_switch_merge"


def segment_function(graph: Graph, cluster: Cluster, name: str) -> Any:
    """Return the `FunctionDef` of a cluster: its arguments are the cluster's inputs, then its weights.

    Small constants are copied into the body; control edges to the outside are left to the engine node.
    """
    function = function_pb2.FunctionDef()
    function.signature.name = name
    function.attr[OUTLINED].b = True
    inside = set(cluster.nodes)
    arguments: dict[TensorRef, str] = {}
    for i, ref in enumerate((*cluster.inputs, *cluster.weights)):
        arguments[ref] = _free(f"arg_{i}", inside)
        arg = function.signature.input_arg.add(name=arguments[ref])
        arg.type = dtypes.enum_of(tensor_info(graph, ref).dtype)

    def text(ref: TensorRef) -> str:
        if ref in arguments:
            return arguments[ref]
        if ref.node not in inside:
            const = const_source(graph, ref)
            assert const is not None, ref
            ref = TensorRef(const.name)
            if ref in arguments:
                return arguments[ref]
        return graph.library.opdefs.body_text(graph.node(ref.node), ref.port)

    for node_name in cluster.nodes:
        node_def = node_to_def(graph.node(node_name))
        node_def.ClearField("experimental_debug_info")
        if "_class" in node_def.attr:  # whom it names may be outside
            del node_def.attr["_class"]
        node_def.input.extend(text(ref) for ref in graph.inputs(node_name))
        node_def.input.extend(f"^{c}" for c in graph.control_inputs(node_name) if c in inside)
        function.node_def.append(node_def)
    for i, ref in enumerate(cluster.outputs):
        out = function.signature.output_arg.add(name=f"out_{i}")
        out.type = dtypes.enum_of(tensor_info(graph, ref).dtype)
        function.ret[out.name] = text(ref)
    return function


def call_node(
    graph: Graph, cluster: Cluster, name: str, segment: str, device: str, attrs: Mapping[str, bool | int | str]
) -> Node:
    """Return a node that calls a cluster's segment: its inputs are the cluster's inputs, then its weights.

    Args:
        attrs: what the call has besides the attributes that every call has.
    """
    stateful = any(graph.library.opdefs.is_stateful(graph.node(member).op) for member in cluster.nodes)
    infos = [tensor_info(graph, ref) for ref in cluster.outputs]
    values: dict[str, Any] = {
        "Tin": tuple(DType(tensor_info(graph, ref).dtype) for ref in (*cluster.inputs, *cluster.weights)),
        "Tout": tuple(DType(info.dtype) for info in infos),
        "f": FunctionRef(segment),
        # Inside of a function TensorFlow wants attributes even where they have their defaults.
        **dict.fromkeys(("config", "config_proto", "executor_type"), ""),
        "_output_shapes": tuple(without_symbols(info.shape) for info in infos),
        **attrs,
    }
    return Node(name, "StatefulPartitionedCall" if stateful else "PartitionedCall", device, Attrs(values))


def keep_functional(library: FunctionLibrary, name: str) -> None:
    """Have the control flow of a function, and of those that it calls, stay calls of functions.

    TensorFlow takes loops and branches apart into ops of its executor where an attribute allows it, also, in sessions,
    inside of functions that something else is to run.
    """
    waiting, seen = [name], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in library:
            continue
        seen.add(name)
        function = function_pb2.FunctionDef()
        function.CopyFrom(library.get(name))
        lowered = [node for node in function.node_def if _LOWER in node.attr]
        for node in lowered:
            del node.attr[_LOWER]
        if lowered:
            library.add(function)
        waiting.extend(inner for node in function.node_def for inner in called_by(node))


def _free(wanted: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted += "_"
    return wanted
