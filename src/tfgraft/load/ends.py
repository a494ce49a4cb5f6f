"""Where a frozen graph begins and ends: the outputs asked for or found, and the inputs they need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tensorflow.python.framework import op_def_registry

from tfgraft.errors import ModelError, nearest
from tfgraft.graph.dtypes import name_of
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import Shape
from tfgraft.load.index import GraphIndex, producer_of
from tfgraft.load.model import NamedTensor

_NO_OUTPUT = frozenset({"Const", "Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "NoOp", "Assert"})
_FIRST_OUTPUT_ONLY = ("FusedBatchNorm",)
_DEFAULTED = ("PlaceholderWithDefault",)


def resolve_outputs(index: GraphIndex, outputs: Sequence[str], source: str) -> tuple[str, ...]:
    """Turn names given by the user ("a", "a:0") into tensor names of the graph.

    Raises:
        ModelError: there is no such node (the nearest names are told) or the node has no such output.
    """
    nodes = index.nodes
    found: list[str] = []
    for text in outputs:
        try:
            ref = TensorRef.parse(text)
        except ValueError as error:
            raise ModelError(f"{error}.") from error
        if ref.node not in nodes:
            raise ModelError(
                f"{source} has no node {ref.node!r} to take as an output.",
                nearest(ref.node, nodes) or "Leave outputs out to see those that are found.",
            )
        count = len(output_types(index.graph_def, nodes[ref.node]))
        if ref.port >= count:
            raise ModelError(
                f"Node {ref.node!r} ({nodes[ref.node].op}) has {count} output{'s' * (count != 1)}; "
                f"there is no {str(ref)!r}."
            )
        found.append(str(ref))
    if not found:
        raise ModelError("The list of outputs is empty.", "Name at least one, or leave outputs out.")
    return tuple(found)


def find_outputs(index: GraphIndex, source: str) -> tuple[str, ...]:
    """Return the outputs of nodes that nothing reads, in the order of the graph.

    Constants, placeholders, NoOps, assertions and nodes without outputs are no outputs. Where every candidate is
    read by a control edge, those that no data edge reads are taken.

    Raises:
        ModelError: there are none.
    """
    graph_def = index.graph_def
    data: set[str] = set()
    any_edge: set[str] = set()
    for node in graph_def.node:
        any_edge.update(index.producers[node.name])
        data.update(producer_of(text) for text in node.input if text[:1] != "^")
    for read in (any_edge, data):
        found = [
            f"{name}:{port}"
            for name, node in index.nodes.items()
            if name not in read and node.op not in _NO_OUTPUT and "Summary" not in node.op
            for port in _useful_ports(graph_def, node)
        ]
        if found:
            return tuple(found)
    raise ModelError(f"No output was found in {source}.", "Name them: outputs=['node:0'] (--outputs node:0).")


def _useful_ports(graph_def: Any, node: Any) -> range:
    count = len(output_types(graph_def, node))
    return range(min(count, 1) if node.op.startswith(_FIRST_OUTPUT_ONLY) else count)


def output_types(graph_def: Any, node: Any) -> tuple[str, ...]:
    """Return the data types of a node's outputs, from its op's definition and its attributes."""
    op = op_def_registry.get(node.op)
    if op is None:
        op = next(f.signature for f in graph_def.library.function if f.signature.name == node.op)
    defaults = {a.name: a.default_value for a in op.attr}
    types: list[str] = []

    def attr(name: str) -> Any:
        if name in node.attr:
            return node.attr[name]
        return defaults[name]

    for arg in op.output_arg:
        if arg.type_list_attr:
            types.extend(name_of(t) for t in attr(arg.type_list_attr).list.type)
            continue
        dtype = name_of(arg.type or attr(arg.type_attr).type)
        types.extend([dtype] * (attr(arg.number_attr).i if arg.number_attr else 1))
    return tuple(types)


def shape_of(proto: Any) -> Shape:
    """Return a TensorShapeProto as a shape."""
    return None if proto.unknown_rank else tuple(d.size for d in proto.dim)


def find_inputs(
    index: GraphIndex, used: set[str], wanted: Iterable[str] = ()
) -> tuple[tuple[NamedTensor, ...], tuple[NamedTensor, ...]]:
    """Return the inputs that must be fed and those that need not be, in the order of the graph.

    A PlaceholderWithDefault whose default is a constant need not be fed, unless `wanted` names it; one whose default
    comes from anything else (a data iterator) must be.

    Raises:
        ModelError: the graph wants an input of a type that cannot be fed.
    """
    required: list[NamedTensor] = []
    optional: list[NamedTensor] = []
    names = {TensorRef.parse(w).node for w in wanted}
    for node in index.placeholders:
        if node.name not in used:
            continue
        spec = NamedTensor(
            f"{node.name}:0",
            name_of(node.attr["dtype"].type),
            shape_of(node.attr["shape"].shape) if "shape" in node.attr else None,
        )
        if spec.dtype in ("resource", "variant"):
            raise ModelError(
                f"Input {node.name!r} is a {spec.dtype}: it stands for something outside the graph.",
                "Give the SavedModel that the graph comes from, or name outputs that do not need it.",
            )
        if node.op in _DEFAULTED and node.name not in names and _is_constant(index.nodes, node.input[0]):
            optional.append(NamedTensor(spec.name, spec.dtype, spec.shape, required=False))
        else:
            required.append(spec)
    return tuple(required), tuple(optional)


def _is_constant(nodes: dict[str, Any], text: str) -> bool:
    node = nodes[text.partition(":")[0]]
    while node.op == "Identity":
        node = nodes[node.input[0].partition(":")[0]]
    return bool(node.op == "Const")
