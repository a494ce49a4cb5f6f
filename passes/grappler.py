"""grappler: TensorFlow's own graph optimizers, chosen by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from tensorflow.core.framework import attr_value_pb2
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
from tensorflow.python.grappler import tf_optimizer

from tfgraft.graph import dtypes
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import node_from_def, node_to_def, to_graph_def
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef, control_source
from tfgraft.graph.views import PASS_THROUGH
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.quantize_plan import QUANTIZED
from tfgraft.quiet import quiet_remarks

_LARGE = 1 << 16
_READERS = frozenset(
    {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3DBackpropInputV2"}
    | {"MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "GatherV2"}
)
NAMES = (
    "arithmetic",
    "autoparallel",
    "common_subgraph_elimination",
    "constfold",
    "debug_stripper",
    "dependency",
    "function",
    "layout",
    "loop",
    "memory",
    "pruning",
    "remap",
    "scoped_allocator",
    "shape",
)
"""The names by which TensorFlow's meta optimizer knows its optimizers."""


@dataclass(frozen=True)
class Grappler:
    """Runs optimizers of TensorFlow's Grappler on the main graph and its library.

    Args:
        optimizers: names out of `NAMES`, in order. The default folds constants: converters that need a constant
            then find one.
        iterations: how often the meta optimizer goes round.
    """

    optimizers: tuple[str, ...] = ("constfold",)
    iterations: int = 1
    name: ClassVar[str] = "grappler"

    def __post_init__(self) -> None:
        unknown = [n for n in self.optimizers if n not in NAMES]
        if unknown:
            raise ValueError(f"Grappler has no optimizer {unknown[0]!r}; it has {', '.join(NAMES)}")

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Optimize; a graph that Grappler refuses stays as it was, and a diagnostic says so."""
        if not graph.fetches:
            return PassResult(summary="no fetches: nothing to optimize for")
        if graph.library.has_recursion(graph):
            return PassResult(summary="a function calls itself, which Grappler does not survive: not optimized")
        fed = [name for name in sorted(graph.fed) if not graph.node(name).op.startswith("Placeholder")]
        weights = _weights(graph)
        hidden = {name: _without_value(graph.node(name)) for name in weights}
        meta = meta_graph_pb2.MetaGraphDef(graph_def=to_graph_def(graph, hidden))
        fetches = dict.fromkeys([str(ref) for ref in graph.fetches] + sorted(graph.keep))
        for name in fed:
            if len(graph.library.opdefs.output_types(graph.node(name)) or ()) != 1:
                return PassResult(summary=f"{name} is fed and has several outputs: not optimized")
            fetches.update(dict.fromkeys(str(ref) for ref in graph.inputs(name)))
        _as_placeholders(graph, meta.graph_def, fed)
        meta.collection_def["train_op"].node_list.value.extend(fetches)
        config = config_pb2.ConfigProto()
        rewrite = config.graph_options.rewrite_options
        rewrite.optimizers.extend(self.optimizers)
        rewrite.meta_optimizer_iterations = self.iterations
        rewrite.min_graph_nodes = -1
        rewrite.fail_on_optimizer_errors = False
        try:
            with quiet_remarks():
                optimized = tf_optimizer.OptimizeGraph(config, meta)
        except Exception as error:  # what Grappler cannot read, TensorFlow may still run
            ctx.say(self.name, "warning", "grappler", f"Grappler refused the graph, which stays as it was: {error}")
            return PassResult(summary="refused")
        given = {node_def.name: node_def for node_def in to_graph_def(graph).node} if fed else {}
        for node_def in optimized.node:
            if node_def.name in fed:
                node_def.CopyFrom(given[node_def.name])
        before = len(graph)
        changed = assign(graph, optimized, weights)
        return PassResult(changed, f"{before} -> {len(graph)} nodes")


def _as_placeholders(graph: Graph, graph_def: Any, fed: Sequence[str]) -> None:
    """Show Grappler fed nodes as what they are: it would fold a fed constant into what reads it."""
    for node_def in graph_def.node:
        if node_def.name in fed:
            types = graph.library.opdefs.output_types(graph.node(node_def.name)) or ()
            del node_def.input[:]
            node_def.op = "Placeholder"
            node_def.attr.clear()
            node_def.attr["dtype"].type = dtypes.enum_of(types[0])
            node_def.attr["shape"].shape.unknown_rank = True


def _weights(graph: Graph) -> frozenset[str]:
    """Return the constants that Grappler is to see without their values.

    Those are the large ones that only convolutions, products and lookups read: there is nothing to fold in them, and
    Grappler copies the graph a dozen times. And those that are quantized: folded, they would be floats like any other,
    and no engine would know that they are integers.
    """
    pinned = graph.fed | graph.keep | {ref.node for ref in graph.fetches}
    found = set()
    for node in graph:
        if node.op != "Const" or node.name in pinned:
            continue
        pending, plain = [node.name], True
        hidden = node.attrs.proto("value").ByteSize() >= _LARGE
        while pending and plain:
            for reader, slot, _ in graph.consumers(pending.pop()):
                op = graph.node(reader).op
                if op in PASS_THROUGH and reader not in pinned:
                    pending.append(reader)
                elif op in QUANTIZED and slot == 0:
                    hidden = True
                elif op not in _READERS:
                    plain = False
        if plain and hidden:
            found.add(node.name)
    return frozenset(found)


def _without_value(node: Node) -> Node:
    """Return a placeholder of a constant's type and shape."""
    shape = attr_value_pb2.AttrValue(shape=node.attrs.proto("value").tensor.tensor_shape)
    return replace(node, op="Placeholder", attrs=node.attrs.replace(value=None, shape=shape))


def assign(graph: Graph, graph_def: Any, untouched: frozenset[str] = frozenset()) -> bool:
    """Make a graph's nodes those of a `GraphDef`, in one edit; return whether anything changed.

    Functions that are new or differ are taken over too. Nodes named in `untouched` stay as they are, if they stay.
    """
    wanted: Mapping[str, Any] = {node_def.name: node_def for node_def in graph_def.node}
    with graph.edit() as edit:
        for node in graph:
            if node.name not in wanted:
                edit.remove(node.name)
        for name, node_def in wanted.items():
            data = [TensorRef.parse(t) for t in node_def.input if control_source(t) is None]
            controls = [c for t in node_def.input if (c := control_source(t)) is not None]
            if name in untouched:
                continue
            if name not in graph:
                edit.add(node_from_def(node_def), data, controls)
                continue
            if node_to_def(graph.node(name)) != _bare(node_def):
                edit.replace(node_from_def(node_def))
            if tuple(data) != graph.inputs(name) or tuple(controls) != graph.control_inputs(name):
                edit.set_inputs(name, data, controls)
    changed = edit.changed
    for function in graph_def.library.function:
        name = function.signature.name
        if name not in graph.library or graph.library.get(name) != function:
            graph.library.add(function)
            changed = True
    return changed


def _bare(node_def: Any) -> Any:
    bare = type(node_def)()
    bare.CopyFrom(node_def)
    del bare.input[:]
    return bare
