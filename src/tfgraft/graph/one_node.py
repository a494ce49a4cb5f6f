"""One TensorFlow node on its own: what it is (the key of its conversion), and a graph with nothing else in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.graph import dtypes
from tfgraft.graph.attrs import DType, FunctionRef, encode, shape_attr
from tfgraft.graph.functions import OUTLINED, called_by
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import Input, NodeView, Shape

SMALL = 1024
"""Constants of at most this many bytes count with their values; larger ones are weights, whose values say nothing
about how a node converts."""

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Slot:
    """One input of the node: type, shape (-1: unknown dimension) and, for a small constant, the value's bytes."""

    dtype: str
    shape: Shape
    value: bytes | None = None

    def array(self) -> Array:
        """Return the constant's value."""
        assert self.value is not None
        assert self.shape is not None
        return np.frombuffer(self.value, self.dtype).reshape(self.shape)

    @property
    def is_constant(self) -> bool:
        """Whether the value is part of the key."""
        return self.value is not None


@dataclass(frozen=True, slots=True)
class OneNode:
    """A node without its name: two equal ones convert alike. Hashable; `attrs` are serialized `AttrValue`s.

    `library` has the functions that a call of an outlined function needs (a serialized `FunctionDefLibrary`); the
    constants of such a call count with their values whatever their size, since a loop's conversion repacks them.
    """

    op: str
    attrs: tuple[tuple[str, bytes], ...]
    inputs: tuple[Slot, ...]
    outputs: tuple[str, ...]
    library: bytes = b""

    @classmethod
    def of(cls, view: NodeView) -> OneNode:
        """Read a view. Attributes whose name begins with `_` are TensorFlow's own notes and do not count."""
        protos = view.node.attrs
        names = sorted(k for k in protos if k[0] != "_")
        attrs = tuple((k, protos.proto(k).SerializeToString(deterministic=True)) for k in names)
        outputs = tuple(o.dtype for o in view.outputs)
        if outlined_function(view):
            slots = tuple(_slot(item, any_size=True) for item in view.inputs)
            return cls(view.op, attrs, slots, outputs, _library(view))
        return cls(view.op, attrs, tuple(map(_slot, view.inputs)), outputs)

    @property
    def data(self) -> tuple[int, ...]:
        """The inputs whose values are not part of the key."""
        return tuple(i for i, slot in enumerate(self.inputs) if not slot.is_constant)

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names of the node's outputs in `graph_def`."""
        return tuple(f"node:{i}" for i in range(len(self.outputs)))

    def graph_def(self) -> Any:
        """Return a GraphDef with the node as `node`, its inputs `in0`, `in1`, ... as Placeholder or Const nodes."""
        from tensorflow import compat, version
        from tensorflow.core.framework import graph_pb2

        graph_def = graph_pb2.GraphDef()
        graph_def.versions.producer = version.GRAPH_DEF_VERSION
        for i, slot in enumerate(self.inputs):
            source = graph_def.node.add(name=f"in{i}", op="Const" if slot.is_constant else "Placeholder")
            source.attr["dtype"].CopyFrom(encode(DType(slot.dtype)))
            if slot.is_constant:
                source.attr["value"].tensor.CopyFrom(compat.v1.make_tensor_proto(slot.array()))
            else:
                source.attr["shape"].CopyFrom(shape_attr(slot.shape))
        node = graph_def.node.add(name="node", op=self.op, input=[f"in{i}" for i in range(len(self.inputs))])
        for key, raw in self.attrs:
            node.attr[key].ParseFromString(raw)
        if self.library:
            graph_def.library.ParseFromString(self.library)
            _inline(graph_def, node)
        return graph_def

    def graph(self) -> Any:
        """Return `graph_def` as a `tf.Graph`.

        Raises:
            ValueError: TensorFlow does not take the node with these inputs.
        """
        import tensorflow as tf

        graph = tf.Graph()
        with graph.as_default():
            tf.graph_util.import_graph_def(self.graph_def(), name="")
        return graph


def outlined_function(view: NodeView) -> str:
    """Return the function that a node calls if it was outlined (see `passes.outline_loops`), else an empty string."""
    function = view.node.attrs.get("f")
    if view.library is None or not isinstance(function, FunctionRef) or function.name not in view.library:
        return ""
    return function.name if OUTLINED in view.library.get(function.name).attr else ""


def _library(view: NodeView) -> bytes:
    from tensorflow.core.framework import function_pb2

    assert view.library is not None
    name = outlined_function(view)
    library = function_pb2.FunctionDefLibrary()
    inner = [call for node_def in view.library.get(name).node_def for call in called_by(node_def)]
    for function in (name, *view.library.reachable_from(inner)):
        library.function.add().CopyFrom(view.library.get(function))
    raw: bytes = library.SerializeToString(deterministic=True)
    return raw


def _inline(graph_def: Any, call: Any) -> None:
    """Put the body of the called function in the call's place: tf2onnx rewrites loops that it sees whole."""
    from tfgraft.graph.functions import FunctionLibrary
    from tfgraft.graph.graphdef import node_to_def

    name = call.attr["f"].func.name
    body = FunctionLibrary(graph_def.library).body(name)
    assert body is not None, name
    rest = [function for function in graph_def.library.function if function.signature.name != name]
    del graph_def.library.function[:]
    graph_def.library.function.extend(rest)
    arguments = {ref.node: call.input[i] for i, ref in enumerate(body.feeds)}

    def place(ref: TensorRef) -> str:
        return arguments.get(ref.node, f"body/{ref}")

    for node in body:
        if node.name not in arguments:
            node_def = node_to_def(node)
            node_def.name = f"body/{node.name}"
            node_def.input.extend(place(ref) for ref in body.inputs(node.name))
            node_def.input.extend(f"^body/{name}" for name in body.control_inputs(node.name))
            graph_def.node.append(node_def)
    call.op = "IdentityN"
    types = list(call.attr["Tout"].list.type)
    call.attr.clear()
    call.attr["T"].list.type.extend(types)
    del call.input[:]
    call.input.extend(place(ref) for ref in body.fetches)


def _slot(item: Input, any_size: bool = False) -> Slot:
    dtype, shape = item.info.dtype, item.info.shape
    if item.is_constant and shape is not None and dtype in dtypes.PLAIN:
        size = np.dtype(dtype).itemsize
        for d in shape:
            size *= d
        if any_size or size <= SMALL:
            value = item.constant()
            if value is not None:
                return Slot(dtype, shape, value.tobytes())
    return Slot(dtype, None if shape is None else tuple(d if d >= 0 else -1 for d in shape))
