"""join_quantizers: QuantizeV2 read by Dequantize -> QuantizeAndDequantize, which engines know.

In between is a tensor of a quantized type, which no engine exchanges with TensorFlow. In the mode SCALED the pair is
what QuantizeAndDequantize does; the other modes have no integer for zero, and stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.chains import constant_side, original
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_node
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.prune import Prune

_SIGNED = {"qint8": True, "quint8": False}
_LEAST_RANGE = 0.01
"""The default of QuantizeV2's attribute ensure_minimum_range."""


@dataclass(frozen=True)
class JoinQuantizers:
    """Joins pairs in the mode SCALED that round to even, their range being constant; in function bodies too."""

    name: ClassVar[str] = "join_quantizers"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Join."""
        count = ctx.rewrite(graph, lambda one: sum(_join(one, node) for node in list(one) if node.op == "Dequantize"))
        if count:
            Prune().run(graph, ctx)
        return PassResult(count > 0, f"joined {count} pairs of quantizing nodes")


def _join(graph: Graph, last: Node) -> bool:
    refs = [original(graph, ref) for ref in graph.inputs(last.name)]
    first = graph.node(refs[0].node)
    if (
        first.op != "QuantizeV2"
        or refs != [TensorRef(first.name, port) for port in range(3)]
        or not _alike(first, last)
    ):
        return False
    bounds = _bounds(graph, first)
    if bounds is None:
        return False
    narrow, axis = bool(first.attrs.get("narrow_range", False)), int(first.attrs.get("axis", -1))
    values: dict[str, Any] = {"low": bounds[0], "high": bounds[1]}
    attrs: dict[str, Any] = {
        "T": DType("float32"),
        "signed_input": _SIGNED[first.dtype("T")],
        "range_given": True,
        "narrow_range": narrow,
        "axis": axis,
    }
    op = "QuantizeAndDequantizeV2"
    if axis == -1:
        attrs |= {"num_bits": 8, "round_mode": b"HALF_TO_EVEN"}
    else:  # of TensorFlow's kernels, that of V3 takes a range for each element of an axis
        op, values["bits"] = "QuantizeAndDequantizeV3", np.asarray(8, np.int32)
    constants = [const_node(graph.unique_name(f"{last.name}/{key}"), value) for key, value in values.items()]
    with graph.edit() as edit:
        for constant in constants:
            edit.add(constant)
        edit.replace(Node(last.name, op, last.device, Attrs(attrs)))
        inputs = [graph.inputs(first.name)[0], *(TensorRef(constant.name) for constant in constants)]
        edit.set_inputs(last.name, inputs, graph.control_inputs(last.name))
    return True


def _alike(first: Node, last: Node) -> bool:
    """Tell whether both nodes are in the mode and of the types that are taken, and along the same axis."""
    taken = all(node.attrs.get("mode", b"MIN_COMBINED") == b"SCALED" for node in (first, last))
    same = all(first.attrs.get(k, d) == last.attrs.get(k, d) for k, d in (("narrow_range", False), ("axis", -1)))
    even = first.attrs.get("round_mode", b"HALF_AWAY_FROM_ZERO") == b"HALF_TO_EVEN"
    dtype = first.dtype("T")
    # Unsigned and narrow, the pair leaves out the integer zero, and QuantizeAndDequantize does not.
    fits = dtype == "qint8" or (dtype == "quint8" and not first.attrs.get("narrow_range", False))
    return taken and same and even and fits


def _bounds(graph: Graph, first: Node) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return the range of a QuantizeV2 node as its kernel makes it, or None if it is not constant."""
    low, high = (constant_side(graph, first.name, slot) for slot in (1, 2))
    if low is None or high is None:
        return None
    low, high = low.astype(np.float32), high.astype(np.float32)
    least = np.float32(first.attrs.get("ensure_minimum_range", _LEAST_RANGE))
    room = np.maximum(np.float32(1), np.maximum(np.abs(low), np.abs(high))) * least
    low = np.minimum(low, np.float32(0))
    return low, np.maximum(np.maximum(high, low + room), np.float32(0)).astype(np.float32)
