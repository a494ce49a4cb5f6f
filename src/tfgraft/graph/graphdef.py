"""GraphDef <-> Graph. The way there and back is the identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tensorflow.core.framework import graph_pb2, node_def_pb2

from tfgraft.graph.attrs import Attrs
from tfgraft.graph.collector import collector_paused
from tfgraft.graph.functions import FunctionLibrary
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node, colocated_with
from tfgraft.graph.ref import TensorRef, control_source


class GraphDefError(ValueError):
    """A GraphDef that is not a graph: a name twice, or an input that does not exist or cannot be read."""


def node_from_def(node_def: Any) -> Node:
    """Make a node out of a `NodeDef`; inputs are not part of a node."""
    extra = b""
    if node_def.HasField("experimental_debug_info") or node_def.HasField("experimental_type"):
        rest = node_def_pb2.NodeDef()
        if node_def.HasField("experimental_debug_info"):
            rest.experimental_debug_info.CopyFrom(node_def.experimental_debug_info)
        if node_def.HasField("experimental_type"):
            rest.experimental_type.CopyFrom(node_def.experimental_type)
        extra = rest.SerializeToString()
    return Node(node_def.name, node_def.op, node_def.device, Attrs.from_protos(node_def.attr), extra)


def node_to_def(node: Node) -> Any:
    """Make a `NodeDef` without inputs out of a node."""
    node_def = node_def_pb2.NodeDef(name=node.name, op=node.op, device=node.device)
    for key in node.attrs:
        node_def.attr[key].CopyFrom(node.attrs.proto(key))
    if node.extra:
        node_def.MergeFromString(node.extra)
    return node_def


def add_node_defs(graph: Graph, nodes: Sequence[tuple[Node, Sequence[TensorRef], Sequence[str]]]) -> None:
    """Fill an empty graph with (node, data inputs, control inputs).

    Raises:
        GraphDefError: a name is there twice, or an input does not exist.
    """
    for node, _, _ in nodes:
        if node.name in graph._nodes:
            raise GraphDefError(f"there are two nodes named {node.name!r}")
        graph._nodes[node.name] = node
        for target in colocated_with(node):
            graph._colocated.setdefault(target, {})[node.name] = None
    graph._g.add_nodes_from(graph._nodes)
    add_edge = graph._g.add_edge
    for node, inputs, controls in nodes:
        for slot, ref in enumerate(inputs):
            if ref.node not in graph._nodes:
                raise GraphDefError(f"node {node.name!r} reads {str(ref)!r}, which does not exist")
            add_edge(ref.node, node.name, key=slot, port=ref.port)
        for i, source in enumerate(controls):
            if source not in graph._nodes:
                raise GraphDefError(f"node {node.name!r} waits for {source!r}, which does not exist")
            add_edge(source, node.name, key=-1 - i)


def from_graph_def(
    graph_def: Any,
    *,
    feeds: Iterable[TensorRef] = (),
    fetches: Iterable[TensorRef] = (),
    keep: Iterable[str] = (),
) -> Graph:
    """Load a `GraphDef` (which must not be changed afterwards: constants are not copied).

    Raises:
        GraphDefError: a name is there twice, or an input does not exist.
    """
    graph = Graph(FunctionLibrary(graph_def.library), feeds=feeds, fetches=fetches, keep=keep)
    with collector_paused():
        add_node_defs(graph, [(node_from_def(node_def), *_inputs(node_def)) for node_def in graph_def.node])
    rest = graph_pb2.GraphDef()
    for field, value in graph_def.ListFields():
        if field.name == "library":
            rest.library.SetInParent()  # present but empty is not the same as absent
        elif field.name == "version":
            rest.version = value
        elif field.name != "node":
            getattr(rest, field.name).CopyFrom(value)
    graph.extra = rest.SerializeToString()
    return graph


def _inputs(node_def: Any) -> tuple[list[TensorRef], list[str]]:
    inputs, controls = [], []
    try:
        for text in node_def.input:
            source = control_source(text)
            if source is None:
                inputs.append(TensorRef.parse(text))
            else:
                controls.append(source)
    except ValueError as error:
        raise GraphDefError(f"node {node_def.name!r} has an input that cannot be read: {error}") from None
    return inputs, controls


@collector_paused()
def to_graph_def(graph: Graph, instead: Mapping[str, Node] | None = None) -> Any:
    """Write a graph as a `GraphDef`, with the function library as it is (see `FunctionLibrary.write_back`).

    Args:
        graph: the graph.
        instead: nodes to write in the place of others, by name: large constants, say, that need not be copied.
    """
    instead = instead or {}
    graph_def = graph_pb2.GraphDef.FromString(graph.extra)
    for node in graph:
        node_def = node_to_def(instead.get(node.name, node))
        node_def.input.extend(ref.as_input() for ref in graph.inputs(node.name))
        node_def.input.extend(f"^{source}" for source in graph.control_inputs(node.name))
        graph_def.node.append(node_def)
    if graph.library.to_proto().ByteSize():
        graph_def.library.CopyFrom(graph.library.to_proto())
    return graph_def
