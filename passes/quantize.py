"""quantize: put QuantizeAndDequantize nodes where an engine wants them, so that it computes in INT8.

Ranges are symmetric: one for an activation, from calibration, and one for each output channel of a kernel, from its
values. The nodes are TensorFlow's own, so the native segment computes the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tfgraft.calibration.observers import Observer, Percentile
from tfgraft.calibration.table import CalibrationTable
from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.edit import GraphEdit
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import TensorInfo
from tfgraft.graph.views import TENSORS, const_node, const_source, const_value, tensor_info
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.calibrate import CALIBRATION
from tfgraft.passes.form_clusters import CLUSTER, FormClusters
from tfgraft.passes.quantize_plan import Kernel, QuantizationPlan, plan_quantization
from tfgraft.passes.regroup import PRECISION, regroup
from tfgraft.passes.tag_support import TagSupport

Ranges = dict[TensorRef, tuple[float, float]]
"""The least and the largest value of each activation that is quantized."""
_BITS = 8


@dataclass(frozen=True)
class Quantize:
    """Quantizes the convolutions and products of the main graph's clusters, and what stands between them.

    The ranges are those of the `CalibrationTable` in `ctx.results["calibration"]`. A layer whose tensors have no range
    there stays in floating point. Without a table, as in a plan, any range is taken.

    Args:
        observer: how a range is made of what was observed.
        keep: nodes, or patterns of their names, that stay in floating point.
        tagging, forming: with what options clusters are formed anew.
    """

    observer: Observer = field(default_factory=Percentile)
    keep: tuple[str, ...] = ()
    tagging: TagSupport = field(default_factory=TagSupport)
    forming: FormClusters = field(default_factory=FormClusters)
    name: ClassVar[str] = "quantize"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Quantize, and form clusters anew."""
        plan, ranges = self.plan(graph, ctx)
        if plan.layers:
            facts: dict[str, tuple[TensorInfo, ...]] = {}
            with graph.edit() as edit:
                for (name, slot), ref in quantized_values(graph, edit, plan, ranges, facts).items():
                    edit.set_input(name, slot, ref)
            graph.facts.update(TENSORS, facts)
            regroup(graph, ctx, self.tagging, self.forming)
        for name, reason in plan.refusals.items():
            ctx.say(self.name, "info", "not-quantized", reason, node=name)
        if not plan.layers:
            ctx.say(self.name, "warning", "not-quantized", "No convolution or product of the main graph is in INT8.")
        ctx.results[PRECISION] = {("", name): "INT8" for name in plan.layers}
        total = len(plan.layers) + len(plan.refusals)
        return PassResult(bool(plan.layers), f"{len(plan.layers)} of {total} layers in INT8")

    def plan(self, graph: Graph, ctx: PassContext) -> tuple[QuantizationPlan, Ranges]:
        """Return what would be quantized, and the range of each activation; nothing is changed but diagnostics."""
        table: CalibrationTable | None = ctx.results.get(CALIBRATION)
        clusters = graph.facts.table(CLUSTER)
        keep = {node.name for node in graph if any(_matches(node.name, pattern) for pattern in self.keep)}
        rules = ctx.int8_rules()
        ranges: Ranges = {}
        while True:
            plan = plan_quantization(graph, rules, lambda name: bool(clusters.get(name)), keep)
            lost = self._ranges(graph, plan, table, ranges)
            if not lost:
                return plan, ranges
            for name in plan.layers:
                if name in lost:
                    ctx.say(self.name, "warning", "no-range", lost[name], node=name)
            keep |= set(lost)

    def _ranges(
        self, graph: Graph, plan: QuantizationPlan, table: CalibrationTable | None, ranges: Ranges
    ) -> dict[str, str]:
        """Fill in the ranges of a plan's activations; return the nodes that cannot be quantized, with reasons."""
        lost: dict[str, str] = {}
        for point in plan.points.values():
            name, reason = str(point.source), ""
            if table is None:
                ranges[point.tensor] = (0.0 if point.unsigned else -1.0, 1.0)
            elif name not in table.names:
                reason = f"The calibration saw nothing of {name}."
            elif point.tensor not in ranges:
                low, high = table.range(name, self.observer, unsigned=point.unsigned)
                if high > 0 and np.isfinite(high):
                    ranges[point.tensor] = (low, high)
                else:
                    reason = f"The calibration saw only zeros of {name}, or values that are not finite."
            if reason:
                nodes = (*_chain(graph, point.tensor, plan), *(node for node, _ in point.readers))
                lost.update(dict.fromkeys(nodes, reason))
        for kernel in plan.kernels:
            if not np.isfinite(_kernel_value(graph, kernel)).all():
                lost[kernel.node] = f"Input {kernel.slot} has values that are not finite."
        return lost


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def _chain(graph: Graph, ref: TensorRef, plan: QuantizationPlan) -> Iterator[str]:
    """Yield the nodes from a tensor back to the layer whose bias and activation they are, or the tensor's own node."""
    yield ref.node
    while ref.node not in plan.layers:
        data = [r for r in graph.inputs(ref.node) if const_source(graph, r) is None]
        if len(data) != 1:
            return
        ref = data[0]
        yield ref.node


def _kernel_value(graph: Graph, kernel: Kernel) -> NDArray[Any]:
    const = const_source(graph, graph.inputs(kernel.node)[kernel.slot])
    assert const is not None, kernel
    return const_value(const)


def quantized_values(
    graph: Graph, edit: GraphEdit, plan: QuantizationPlan, ranges: Ranges, facts: dict[str, tuple[TensorInfo, ...]]
) -> dict[tuple[str, int], TensorRef]:
    """Add the QuantizeAndDequantize nodes of a plan; nothing reads them yet.

    Args:
        facts: filled with types and shapes of the new nodes.

    Returns:
        What is to be read by each (node, input) of the plan.
    """
    found: dict[tuple[str, int], TensorRef] = {}
    for point in plan.points.values():
        low, high = (np.asarray(bound, np.float32) for bound in ranges[point.tensor])
        device = graph.node(next(iter(point.readers))[0]).device
        new = _add(graph, edit, point.tensor, low, high, device, facts, signed=not point.unsigned)
        found.update(dict.fromkeys(point.readers, new))
    made: dict[tuple[TensorRef, int | None], TensorRef] = {}
    for kernel in plan.kernels:
        key = (graph.inputs(kernel.node)[kernel.slot], kernel.axis)
        if key not in made:
            made[key] = _add_kernel(graph, edit, kernel, key[0], facts, plan.room)
        found[kernel.node, kernel.slot] = made[key]
    return found


def _add_kernel(
    graph: Graph,
    edit: GraphEdit,
    kernel: Kernel,
    ref: TensorRef,
    facts: dict[str, tuple[TensorInfo, ...]],
    room: int,
) -> TensorRef:
    value = np.abs(_kernel_value(graph, kernel))
    axes = None if kernel.axis is None else tuple(i for i in range(value.ndim) if i != kernel.axis)
    high = np.asarray(value.max(axis=axes, initial=0), np.float32)
    high = np.where(high > 0, high * np.float32(room), np.float32(1))  # any step will do for zeros
    device = graph.node(kernel.node).device
    return _add(graph, edit, ref, -high, high, device, facts, axis=kernel.axis, narrow=True)


def _add(
    graph: Graph,
    edit: GraphEdit,
    ref: TensorRef,
    low: NDArray[Any],
    high: NDArray[Any],
    device: str,
    facts: dict[str, tuple[TensorInfo, ...]],
    *,
    signed: bool = True,
    narrow: bool = False,
    axis: int | None = None,
) -> TensorRef:
    """Add a QuantizeAndDequantize node that reads a tensor, with its bounds.

    TensorFlow's kernels of V2 and V4 refuse a range for each element of an axis, that of V3 takes one.
    """
    port = f"_{ref.port}" if ref.port else ""
    along = "" if axis is None else f"_along_{axis}"
    name = graph.unique_name(f"{ref.node}{port}/quantized{along}")
    given = (
        {"low": low, "high": high} if axis is None else {"low": low, "high": high, "bits": np.asarray(_BITS, np.int32)}
    )
    constants = [const_node(graph.unique_name(f"{name}/{key}"), value) for key, value in given.items()]
    for constant in constants:
        edit.add(constant)
    attrs = {"T": DType("float32"), "signed_input": signed, "range_given": True, "narrow_range": narrow}
    if axis is None:
        op = "QuantizeAndDequantizeV2"
        attrs |= {"num_bits": _BITS, "round_mode": b"HALF_TO_EVEN", "axis": -1}
    else:
        op = "QuantizeAndDequantizeV3"
        attrs |= {"axis": axis}
    edit.add(Node(name, op, device, Attrs(attrs)), [ref, *(TensorRef(c.name) for c in constants)])
    facts[name] = (tensor_info(graph, ref),)
    return TensorRef(name)
