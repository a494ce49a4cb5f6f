"""OpDefs: the inputs and outputs that TensorFlow declares for an op, resolved for one node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow.python.framework import op_def_registry

from tfgraft.graph import dtypes
from tfgraft.graph.node import Node

ARG = "_Arg"
"""The op of the nodes that stand for a function's arguments in the graph of its body."""


class OpDefs:
    """Looks up OpDefs among TensorFlow's registered ops and the functions of one library."""

    def __init__(self, functions: Mapping[str, Any] | None = None) -> None:
        """`functions` maps function names to `FunctionDef` protos; a node's op may name one of them."""
        self._functions = functions if functions is not None else {}
        self._cache: dict[str, Any] = {}

    def get(self, op: str) -> Any | None:
        """Return the `OpDef` of an op or function, or None if TensorFlow does not know it."""
        if op in self._functions:
            return self._functions[op].signature
        if op not in self._cache:
            self._cache[op] = op_def_registry.get(op)
        return self._cache[op]

    def outputs(self, node: Node) -> list[tuple[str, int]] | None:
        """Return (output argument name, number of tensors) in order, or None for an unknown op."""
        op_def = self.get(node.op)
        if op_def is None:
            return None
        return [(arg.name, len(_types(arg, node))) for arg in op_def.output_arg]

    def body_text(self, node: Node, port: int) -> str:
        """Return how a function's body writes output `port` of a node: `node:output_argument:index`.

        Raises:
            ValueError: the op is unknown, or the node has no such output.
        """
        left = port
        for arg_name, count in self.outputs(node) or ():
            if left < count:
                return f"{node.name}:{arg_name}:{left}"
            left -= count
        raise ValueError(f"node {node.name!r} ({node.op}) has no output {port}")

    def output_types(self, node: Node) -> tuple[str, ...] | None:
        """Return the data type of every output, or None for an unknown op."""
        op_def = self.get(node.op)
        if op_def is None:
            return None
        return tuple(t for arg in op_def.output_arg for t in _types(arg, node))

    def input_types(self, node: Node) -> tuple[str, ...] | None:
        """Return the data type of every data input, or None for an unknown op."""
        op_def = self.get(node.op)
        if op_def is None:
            return None
        return tuple(t for arg in op_def.input_arg for t in _types(arg, node))

    def is_stateful(self, op: str) -> bool:
        """Tell whether an op is declared stateful; unknown ops count as stateful."""
        op_def = self.get(op)
        return op_def is None or bool(op_def.is_stateful)


def _types(arg: Any, node: Node) -> list[str]:
    if arg.type_list_attr:
        return [t.name for t in node.attrs.get(arg.type_list_attr, ())]
    if arg.type:
        one = dtypes.name_of(arg.type)
    else:
        one = node.dtype(arg.type_attr)
    return [one] * (int(node.attrs.get(arg.number_attr, 0)) if arg.number_attr else 1)
