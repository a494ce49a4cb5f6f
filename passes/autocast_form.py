"""A node as it would be in half precision, and whether TensorFlow has such a node, with a kernel for the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tensorflow.python.framework import kernels

from tfgraft.graph import dtypes
from tfgraft.graph.attrs import DType
from tfgraft.graph.node import Node
from tfgraft.graph.opdefs import OpDefs

_STAY = frozenset({"U", "DstT"})
"""Type attributes that stay float32: the parameters of FusedBatchNorm, and what a Cast is told to give."""
_FLOAT = DType("float32")


@dataclass(frozen=True, slots=True)
class HalfForm:
    """A node in half precision.

    Args:
        node: the node, its type attributes changed.
        inputs, outputs: for each, whether it becomes half; those of other types stay as they are.
    """

    node: Node
    inputs: tuple[bool, ...]
    outputs: tuple[bool, ...]


def half_form(opdefs: OpDefs, node: Node, dtype: str) -> HalfForm | None:
    """Return a node with its float32 inputs and outputs in a half type; None if its op has no such attribute."""
    if node.op == "FusedBatchNorm":  # takes float32 alone; the second version computes the same
        node = replace(node, op="FusedBatchNormV2", attrs=node.attrs.replace(U=_FLOAT))
    op_def = opdefs.get(node.op)
    if op_def is None:
        return None
    changed = {a.name for a in op_def.attr if a.type == "type" and node.dtype(a.name) == "float32"} - _STAY
    if not changed:
        return None
    half = replace(node, attrs=node.attrs.replace(**dict.fromkeys(sorted(changed), DType(dtype))))
    return HalfForm(
        half, tuple(_flags(op_def.input_arg, node, changed)), tuple(_flags(op_def.output_arg, node, changed))
    )


def _flags(args: Any, node: Node, changed: set[str]) -> Iterator[bool]:
    for arg in args:
        if arg.type_list_attr:
            yield from [False] * len(node.attrs.get(arg.type_list_attr, ()))
        else:
            count = int(node.attrs.get(arg.number_attr, 0)) if arg.number_attr else 1
            yield from [arg.type_attr in changed] * count


class Kernels:
    """TensorFlow's kernels for the CPU, on which the native segment must run; each kind of node is looked up once."""

    def __init__(self, opdefs: OpDefs) -> None:
        self._opdefs = opdefs
        self._obstacles: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}

    def obstacle(self, node: Node) -> str:
        """Return why TensorFlow has no such node, or an empty string."""
        types = {name: value.name for name, value in node.attrs.items() if isinstance(value, DType)}
        key = (node.op, tuple(sorted(types.items())))
        if key not in self._obstacles:
            self._obstacles[key] = self._look_up(node.op, types)
        return self._obstacles[key]

    def _look_up(self, op: str, types: Mapping[str, str]) -> str:
        op_def = self._opdefs.get(op)
        for attr in op_def.attr if op_def is not None else ():
            allowed = attr.allowed_values.list.type
            if attr.name in types and allowed and dtypes.enum_of(types[attr.name]) not in allowed:
                return f"TensorFlow's {op} takes no {types[attr.name]}."
        for kernel in kernels.get_registered_kernels_for_op(op).kernel:
            if kernel.device_type in ("CPU", "DEFAULT") and not kernel.label and _fits(kernel, types):
                return ""
        given = ", ".join(sorted(set(types.values())))
        return f"TensorFlow has no kernel of {op} for {given} on the CPU, for the native segment."


def _fits(kernel: Any, types: Mapping[str, str]) -> bool:
    """Tell whether a kernel takes some types; attributes that are not there have defaults, never half types."""
    return all(
        dtypes.enum_of(types[constraint.name]) in constraint.allowed_values.list.type
        for constraint in kernel.constraint
        if constraint.name in types
    )
