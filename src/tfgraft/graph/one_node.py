"""One TensorFlow node on its own: what it is (the key of its conversion), and a graph with nothing else in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.graph import dtypes
from tfgraft.graph.attrs import DType, encode, shape_attr
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
    """A node without its name: two equal ones convert alike. Hashable; `attrs` are serialized `AttrValue`s."""

    op: str
    attrs: tuple[tuple[str, bytes], ...]
    inputs: tuple[Slot, ...]
    outputs: tuple[str, ...]

    @classmethod
    def of(cls, view: NodeView) -> OneNode:
        """Read a view. Attributes whose name begins with `_` are TensorFlow's own notes and do not count."""
        protos = view.node.attrs
        names = sorted(k for k in protos if k[0] != "_")
        attrs = tuple((k, protos.proto(k).SerializeToString(deterministic=True)) for k in names)
        return cls(view.op, attrs, tuple(map(_slot, view.inputs)), tuple(o.dtype for o in view.outputs))

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


def _slot(item: Input) -> Slot:
    dtype, shape = item.info.dtype, item.info.shape
    if item.is_constant and shape is not None and dtype in dtypes.PLAIN:
        size = np.dtype(dtype).itemsize
        for d in shape:
            size *= d
        if size <= SMALL:
            value = item.constant()
            if value is not None:
                return Slot(dtype, shape, value.tobytes())
    return Slot(dtype, None if shape is None else tuple(d if d >= 0 else -1 for d in shape))
