"""Rewriter: looking around in the nodes of an OnnxContext, and putting new nodes in the place of old ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.weights import lay_out
from tfgraft.graph.ref import TensorRef

Dims = tuple[int, ...]


def attributes(node: Any) -> dict[str, Any]:
    """Return the values of a node's attributes by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


class Rewriter:
    """The nodes of a context by what they make and read.

    Args:
        ctx: the context, all of its nodes emitted, in topological order.
        shapes: shapes of values as far as known, negative sizes being unknown.
        value_of: the value of a weight that is given when the model is loaded.
        halves: those values with shapes that are float16; the others are float32.
    """

    def __init__(
        self,
        ctx: OnnxContext,
        shapes: Mapping[str, Dims],
        value_of: Callable[[TensorRef], NDArray[Any]],
        halves: Collection[str] = (),
    ) -> None:
        self.ctx = ctx
        self.shapes = shapes
        self.halves = halves
        self._value_of = value_of
        self._uses = {use.name: use for use in ctx.weight_uses}
        self._maker: dict[str, Any] = {}
        self._readers: dict[str, list[Any]] = {}
        for node in ctx.nodes:
            self._maker.update((name, node) for name in node.output)
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._constants = {t.name: t for t in ctx.initializers}
        self._removed: set[str] = set()
        self._placed: dict[str, list[Any]] = {}
        self._inserted: dict[str, list[Any]] = {}

    def maker(self, value: str, *ops: str) -> Any | None:
        """Return the node that makes a value, if it is of one of the types `ops` and was not rewritten."""
        node = self._maker.get(value)
        return node if node is not None and node.op_type in ops and node.name not in self._removed else None

    def readers(self, value: str, op: str = "") -> list[Any]:
        """Return the nodes that read a value; those of type `op` only, if it is given."""
        return [n for n in self._readers.get(value, ()) if not op or n.op_type == op]

    def only_reader(self, value: str) -> Any | None:
        """Return the one node that reads a value, or None if there are several or none."""
        readers = self._readers.get(value, [])
        return readers[0] if len(readers) == 1 else None

    def is_constant(self, value: str) -> bool:
        """Tell whether a value is an initializer."""
        return value in self._constants

    def dims(self, value: str) -> Dims | None:
        """Return the shape of an initializer, or of a value as far as known."""
        tensor = self._constants.get(value)
        return tuple(tensor.dims) if tensor is not None else self.shapes.get(value)

    def scalar(self, value: str) -> float | None:
        """Return the one element of an initializer that has one."""
        tensor = self._constants.get(value)
        if tensor is None or np.prod(tensor.dims, dtype=int) != 1:
            return None
        array = self.array(value)
        return float(array.reshape(())) if array is not None else None

    def array(self, value: str) -> NDArray[Any] | None:
        """Return the value of an initializer, laid out as the model has it, or None if it is none."""
        tensor = self._constants.get(value)
        if tensor is None:
            return None
        use = self._uses.get(value)
        if use is not None:
            return lay_out(self._value_of(use.ref), use.perm, use.shape, use.quantization)
        return None if tensor.data_location == TensorProto.EXTERNAL else numpy_helper.to_array(tensor)

    def split(self, node: Any) -> tuple[str, str] | None:
        """Return (value, constant) of a commutative node with one constant input, or None."""
        a, b = node.input
        if self.is_constant(a) == self.is_constant(b):
            return None
        return (b, a) if self.is_constant(a) else (a, b)

    def replace(self, old: Iterable[Any], last: Any, first_new: int) -> None:
        """Put the nodes emitted since the context had `first_new` of them in the place of old ones.

        The last new node's output gets the name of `last`'s, which is one of the old ones.
        """
        new = self.ctx.nodes[first_new:]
        del self.ctx.nodes[first_new:]
        new[-1].output[0] = last.output[0]
        self._removed.update(node.name for node in old)
        self._placed[last.name] = new

    def insert(self, before: Any, first_new: int) -> None:
        """Put the nodes emitted since the context had `first_new` of them in front of an old one, which stays."""
        self._inserted.setdefault(before.name, []).extend(self.ctx.nodes[first_new:])
        del self.ctx.nodes[first_new:]

    def finish(self) -> None:
        """Carry the replacements out."""
        nodes: list[Any] = []
        for node in self.ctx.nodes:
            nodes.extend(self._inserted.get(node.name, ()))
            if node.name in self._placed:
                nodes.extend(self._placed[node.name])
            elif node.name not in self._removed:
                nodes.append(node)
        self.ctx.nodes[:] = nodes
