"""infer_shapes: types and shapes of every tensor, by Grappler's own static inference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.core.grappler.costs import op_performance_data_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.grappler import item as grappler_item

from tfgraft.graph import dtypes
from tfgraft.graph.attrs import shape_attr
from tfgraft.graph.collector import collector_paused
from tfgraft.graph.functions import called
from tfgraft.graph.graph import Graph
from tfgraft.graph.opdefs import ARG
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import Shape, TensorInfo, without_symbols
from tfgraft.graph.views import TENSORS, const_info, tensor_info
from tfgraft.passes.base import PassContext, PassResult

_LARGE = 1024
"""Constants above this many bytes are shown to Grappler without their values, which say nothing about shapes."""
_NO_SCALARS = 21
"""Up to this version of graphs a Placeholder of shape [] is one of any shape."""
_STAND_IN = "FakeParam"
"""What Grappler is shown for inputs: it takes a Placeholder for something that may be fed in any shape."""


@dataclass(frozen=True)
class InferShapes:
    """Finds types and shapes (the fact `TENSORS`) for the main graph and the bodies of the functions it calls.

    Equal unknown dimensions get equal negative numbers (see `tfgraft.graph.view.Shape`). A function's arguments get
    the shapes on which all its callers agree.

    Args:
        given: shapes of Placeholders of the main graph, by name, in the place of those that they have.
    """

    given: Mapping[str, Shape] = field(default_factory=dict)
    name: ClassVar[str] = "infer_shapes"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Note the fact `TENSORS` of every node."""
        arguments: dict[str, list[Shape]] = {}
        graphs = {g.name: g for g in ctx.graphs(graph)}
        pending, done = [""], 0
        callers = _callers(graphs)
        seen: set[str] = set()
        while pending:
            current = graphs[pending.pop()]
            if current.name in seen:
                continue
            seen.add(current.name)
            self._infer(current, arguments.get(current.name), ctx)
            done += 1
            for name, calls in _calls(current, graphs).items():
                for call in calls:
                    arguments[name] = _join(arguments.get(name), call)
                callers[name].discard(current.name)
                if not callers[name]:
                    pending.append(name)
        for name, body in graphs.items():  # recursion, or callers that could not be read
            if name not in seen:
                self._infer(body, None, ctx)
        return PassResult(summary=f"shapes of {sum(len(g) for g in graphs.values())} nodes in {len(graphs)} graphs")

    def _infer(self, graph: Graph, arguments: list[Shape] | None, ctx: PassContext) -> None:
        try:
            if graph.library.has_recursion(graph):
                raise ValueError("a function calls itself, which it does not survive")
            with collector_paused():
                infer(graph, arguments, {} if graph.name else self.given)
        except Exception as error:  # Grappler refuses graphs that TensorFlow runs; types alone still serve
            message = f"Grappler could not infer shapes: {error}"
            ctx.say(self.name, "warning", "shapes", message, function=graph.name)


def infer(graph: Graph, arguments: list[Shape] | None = None, placeholders: Mapping[str, Shape] | None = None) -> None:
    """Infer the tensors of one graph; `arguments` are the shapes of a body's arguments, `placeholders` some by name."""
    meta = meta_graph_pb2.MetaGraphDef()
    graph_def = meta.graph_def
    versions = graph_pb2.GraphDef.FromString(graph.extra).versions
    graph_def.versions.CopyFrom(versions)
    if not versions.producer:
        graph_def.versions.producer = 1200
    if len(graph.library):
        graph_def.library.CopyFrom(graph.library.to_proto())
    known: dict[str, tuple[TensorInfo, ...]] = {}
    position = 0
    for node in graph:
        given: TensorInfo | None = None
        if node.op == "Const":
            info = const_info(node)
            known[node.name] = (info,)
            if node.attrs.proto("value").ByteSize() > _LARGE:
                given = info
        elif node.op == ARG:
            given = TensorInfo(node.dtype("T"), arguments[position] if arguments else None)
            position += 1
        elif node.op == "Placeholder":
            shape = node.attrs.get("shape")
            shape = None if shape == () and versions.producer <= _NO_SCALARS else shape
            given = TensorInfo(node.dtype("dtype"), (placeholders or {}).get(node.name, shape))
        if given is not None:
            stand_in = graph_def.node.add(name=node.name, op=_STAND_IN)
            stand_in.attr["dtype"].type = dtypes.enum_of(given.dtype)
            stand_in.attr["shape"].CopyFrom(shape_attr(given.shape))
            stand_in.input.extend(f"^{c}" for c in graph.control_inputs(node.name))
            continue
        node_def = graph_def.node.add(name=node.name, op=node.op)
        for key in node.attrs:
            node_def.attr[key].CopyFrom(node.attrs.proto(key))
        node_def.input.extend([ref.as_input() for ref in graph.inputs(node.name)])
        node_def.input.extend([f"^{c}" for c in graph.control_inputs(node.name)])
    sinks = [str(ref) for ref in graph.fetches] or [node.name for node in graph]
    meta.collection_def["train_op"].node_list.value.extend(sinks)
    graph.facts.clear(TENSORS)
    graph.facts.update(TENSORS, known)
    try:
        properties = grappler_item.Item(meta, ignore_colocation=True, ignore_user_placement=True).GetOpProperties()
    except Exception:  # Grappler refuses some graphs that TensorFlow runs, such as `tf.shape(x)[::-1] + 1`
        properties = _from_import(graph_def)
    for name, outputs in properties.items():
        if name in graph and name not in known:
            graph.facts.set(TENSORS, name, _with_types(graph, name, outputs))


def _from_import(graph_def: Any) -> dict[str, list[Any]]:
    """Return what TensorFlow infers while it imports a graph: no equal unknown dimensions, and less in loops."""
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    properties = {}
    for operation in graph.get_operations():
        outputs = [op_performance_data_pb2.OpInfo.TensorProperties() for _ in operation.outputs]
        for proto, tensor in zip(outputs, operation.outputs, strict=True):
            proto.dtype = tensor.dtype.as_datatype_enum
            proto.shape.CopyFrom(tensor.shape.as_proto())
        properties[operation.name] = outputs
    return properties


def _with_types(graph: Graph, name: str, outputs: Any) -> tuple[TensorInfo, ...]:
    """Take shapes from Grappler and types from the OpDef: Grappler leaves types out where it knows no shape."""
    node = graph.node(name)
    types = tuple(dtypes.name_of(p.dtype) for p in outputs)
    if node.op == ARG:
        types = (node.dtype("T"),)
    elif not types or "invalid" in types:
        types = graph.library.opdefs.output_types(node) or types
    shapes = [_shape(p.shape) for p in outputs]
    shapes += [None] * (len(types) - len(shapes))
    return tuple(TensorInfo(t, s) for t, s in zip(types, shapes, strict=False))


def _shape(proto: Any) -> Shape:
    return None if proto.unknown_rank else tuple(d.size for d in proto.dim)


def _join(old: list[Shape] | None, new: list[Shape]) -> list[Shape]:
    if old is None:
        return new
    joined: list[Shape] = []
    for a, b in zip(old, new, strict=False):
        if a is None or b is None or len(a) != len(b):
            joined.append(None)
        else:
            joined.append(tuple(x if x == y else -1 for x, y in zip(a, b, strict=True)))
    return joined


def _callers(graphs: Mapping[str, Graph]) -> dict[str, set[str]]:
    callers: dict[str, set[str]] = {name: set() for name in graphs}
    for graph in graphs.values():
        for node in graph:
            for name in called(node):
                if name in callers and name != graph.name:
                    callers[name].add(graph.name)
    return callers


def _calls(graph: Graph, graphs: Mapping[str, Graph]) -> dict[str, list[list[Shape]]]:
    """Return, for each function that nodes of a graph call, the argument shapes of each call.

    The symbols of one graph mean nothing in another, so unknown dimensions become -1.
    """
    calls: dict[str, list[list[Shape]]] = {}
    for node in graph:
        for name in called(node):
            if name not in graphs or name == graph.name:
                continue
            shapes = [without_symbols(tensor_info(graph, ref).shape) for ref in graph.inputs(node.name)]
            calls.setdefault(name, []).append(_arguments(graph, node.name, graphs[name], shapes))
    return calls


def _arguments(graph: Graph, caller: str, body: Graph, shapes: list[Shape]) -> list[Shape]:
    wanted = len(body.feeds)
    node = graph.node(caller)
    if node.op in ("While", "StatelessWhile"):
        # What a loop carries may change its shape: only what comes out of Grappler for the loop as a whole holds.
        outs = [without_symbols(tensor_info(graph, TensorRef(caller, i)).shape) for i in range(len(shapes))]
        shapes = _join(shapes, outs)
    elif node.op in ("If", "StatelessIf", "Case", "StatelessCase"):
        shapes = shapes[1:]
    if len(shapes) != wanted:
        return [None] * wanted
    return shapes
