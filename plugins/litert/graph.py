"""A cluster as a TensorFlow graph of its own, for LiteRT's converter."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tensorflow import version
from tensorflow.core.framework import graph_pb2

from tfgraft.graph.attrs import DType, encode, shape_attr
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import node_from_def, node_to_def
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import without_symbols
from tfgraft.graph.views import const_source, const_value, tensor_info
from tfgraft.plugins.protocol import Cluster

INPUT = "tfgraft_input"
"""What the placeholders' names begin with; then comes the number of the input, of four digits: some parts of the
converter sort names."""


def cluster_graph(cluster: Cluster, graph: Graph) -> tuple[Any, list[str], list[str]]:
    """Return a GraphDef with a cluster's nodes, its weights as constants, and placeholders for its data inputs.

    Returns:
        The GraphDef, the names of the input tensors, and those of the outputs. Nodes keep their names.
    """
    graph_def = graph_pb2.GraphDef()
    graph_def.versions.producer = version.GRAPH_DEF_VERSION
    places: dict[TensorRef, str] = {}
    for i, ref in enumerate(cluster.inputs):
        info = tensor_info(graph, ref)
        node_def = graph_def.node.add(name=f"{INPUT}_{i:04}", op="Placeholder")
        node_def.attr["dtype"].CopyFrom(encode(DType(info.dtype)))
        node_def.attr["shape"].CopyFrom(shape_attr(without_symbols(info.shape)))
        places[ref] = node_def.name
    inputs = [f"{name}:0" for name in places.values()]
    inside = set(cluster.nodes)

    def place(ref: TensorRef) -> TensorRef | str:
        if ref in places:
            return places[ref]
        if ref.node not in inside:
            const = const_source(graph, ref)
            assert const is not None, ref
            return TensorRef(const.name)
        return ref

    for ref in cluster.weights:
        if ref.node not in inside:
            _add(graph_def, graph, ref.node)
    for name in cluster.nodes:
        node_def = _add(graph_def, graph, name)
        node_def.input.extend(str(place(ref)) for ref in graph.inputs(name))
        node_def.input.extend(f"^{source}" for source in graph.control_inputs(name) if source in inside)
    _restore_erfc(graph_def, {ref.node for ref in cluster.outputs})
    return graph_def, inputs, [f"{ref.node}:{ref.port}" for ref in cluster.outputs]


def _restore_erfc(graph_def: Any, kept: set[str]) -> None:
    """Make `1 - Erf(x)` one Erfc again: what was decomposed for others the converter knows in a Gelu, but so alone."""
    nodes = {node.name: node for node in graph_def.node}
    readers = Counter(text.partition(":")[0].removeprefix("^") for node in graph_def.node for text in node.input)
    for node in list(graph_def.node):
        if node.op != "Sub" or len(node.input) != 2:
            continue
        one, erf = (nodes[text.partition(":")[0]] for text in node.input)
        if erf.op != "Erf" or erf.name in kept or readers[erf.name] > 1 or not _is_one(one):
            continue
        node.op, node.input[:] = "Erfc", erf.input
        graph_def.node.remove(erf)


def _is_one(node: Any) -> bool:
    return (
        node.op == "Const" and not node.attr["value"].tensor.tensor_shape.dim and const_value(node_from_def(node)) == 1
    )


def _add(graph_def: Any, graph: Graph, name: str) -> Any:
    graph_def.node.append(node_to_def(graph.node(name)))
    node_def = graph_def.node[-1]
    node_def.device = ""
    node_def.ClearField("experimental_debug_info")
    if "_class" in node_def.attr:  # whom it names may be outside
        del node_def.attr["_class"]
    return node_def
