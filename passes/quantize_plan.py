"""Which tensors of a graph are quantized so that an engine computes in INT8: a plan, made without any data.

The rules are the engine's own (`Int8Rules`): an integer kernel is chosen by what stands around an op, and engines
differ in that. The placement follows what their documentation asks for: a quantized value in front of each
convolution and product, behind it too where the engine fuses only then, and through the ops in between.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from tfgraft.graph.chains import copies, is_pinned, only_reader, original, readers
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_source, tensor_info
from tfgraft.passes.quantize_signs import never_negative
from tfgraft.plugins.int8_rules import Int8Rules

QUANTIZED = frozenset(
    {f"QuantizeAndDequantizeV{i}" for i in (2, 3, 4)}
    | {"FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel"}
)
"""Ops whose results have a range already: a model that was trained with them keeps it."""
_KERNEL_AXES = {"Conv2D": 3, "Conv3D": 4, "DepthwiseConv2dNative": 2}
_PRODUCTS = frozenset({"MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"})
_ACTIVATIONS = frozenset({"Relu", "Relu6"})
_ADDS = frozenset({"Add", "AddV2", "BiasAdd"})


@dataclass
class Point:
    """A tensor that is quantized.

    Args:
        tensor: the tensor, copies followed back.
        unsigned: whether it is never negative, and the engine makes use of that.
        source: the tensor whose range it has; another one behind an op that only selects or moves values.
        readers: (node, input) of those that read the quantized values.
    """

    tensor: TensorRef
    unsigned: bool
    source: TensorRef
    readers: dict[tuple[str, int], None] = field(default_factory=dict)


@dataclass(frozen=True)
class Kernel:
    """A constant input that is quantized.

    Args:
        node, slot: who reads it, and as which input.
        axis: the dimension that has a range for each element; None for one range.
    """

    node: str
    slot: int
    axis: int | None


@dataclass(frozen=True)
class QuantizationPlan:
    """What is to be quantized in one graph.

    Args:
        layers: the convolutions and products that are to compute in INT8, in topological order.
        points: the activations, by tensor.
        kernels: the weights.
        refusals: why other convolutions and products stay as they are, by node.
        room: how many times as wide the ranges of weights are as the weights.
    """

    layers: tuple[str, ...]
    points: dict[TensorRef, Point]
    kernels: tuple[Kernel, ...]
    refusals: dict[str, str]
    room: int = 1


def plan_quantization(
    graph: Graph, rules: Int8Rules, member: Callable[[str], bool], keep: Collection[str] = ()
) -> QuantizationPlan:
    """Plan which tensors to quantize.

    Args:
        graph: a graph with shapes inferred.
        rules: what the engine computes in INT8.
        member: whether a node may be touched: those in clusters.
        keep: nodes that stay in floating point.
    """
    planner = _Planner(graph, rules, member, frozenset(keep))
    order = graph.topological()
    for name in order:
        if graph.node(name).op in rules.quantize_inputs:
            planner.layer(name)
    for name in order:
        op = graph.node(name).op
        if not member(name) or name in planner.keep:
            continue
        if op in rules.pass_through:
            planner.pass_through(name)
        elif op in rules.also:
            planner.also(name)
        elif op in rules.residual:
            planner.residual(name)
    return QuantizationPlan(tuple(planner.layers), planner.points, tuple(planner.kernels), planner.refusals, rules.room)


class _Planner:
    def __init__(self, graph: Graph, rules: Int8Rules, member: Callable[[str], bool], keep: frozenset[str]) -> None:
        self.graph, self.rules, self.member, self.keep = graph, rules, member, keep
        self.layers: dict[str, None] = {}
        self.points: dict[TensorRef, Point] = {}
        self.kernels: list[Kernel] = []
        self.refusals: dict[str, str] = {}
        self._never_negative = never_negative(graph) if rules.unsigned else set()
        self._results: set[TensorRef] = set()

    def layer(self, name: str) -> None:
        """Plan one convolution or product."""
        reason, kernels = self._kernels(name)
        result = self._result(TensorRef(name))
        needs = self.graph.node(name).op in self.rules.quantize_outputs
        if not reason and needs and not self._is_inside(result):
            reason = "Its result is read outside of the engine, which has no integer kernel with a float result for it."
        if reason:
            self.refusals[name] = reason
            return
        slots = {kernel.slot for kernel in kernels}
        for slot, ref in enumerate(self.graph.inputs(name)[:2]):
            if slot not in slots:
                self._read(ref, name, slot)
        self.layers[name] = None
        self.kernels.extend(kernels)
        self._results.add(result)
        if needs:
            self._read_all(result)

    def _kernels(self, name: str) -> tuple[str, list[Kernel]]:
        """Return why a layer cannot be quantized, and its constant inputs that are."""
        graph = self.graph
        if not self.member(name):
            return "It is in no engine.", []
        if name in self.keep:
            return "It is kept in floating point.", []
        node, inputs = graph.node(name), graph.inputs(name)[:2]
        if any(tensor_info(graph, ref).dtype != "float32" for ref in inputs):
            return "It does not compute in float32.", []
        constant = [const_source(graph, ref) is not None for ref in inputs]
        found = [
            Kernel(name, slot, self._axis(name, slot))
            for slot, ref in enumerate(inputs)
            if constant[slot] and graph.node(original(graph, ref).node).op not in QUANTIZED
        ]
        given = graph.node(original(graph, inputs[1]).node).op in QUANTIZED
        if all(constant) or (node.op not in _PRODUCTS and (constant[0] or not (constant[1] or given))):
            return "Its kernel is not constant.", []
        return "", found

    def _axis(self, name: str, slot: int) -> int | None:
        node, rank = self.graph.node(name), tensor_info(self.graph, self.graph.inputs(name)[slot]).rank
        if node.op in _KERNEL_AXES:
            return _KERNEL_AXES[node.op]
        if slot == 0 or rank != 2:
            return None
        return 0 if node.attrs.get("transpose_b", node.attrs.get("adj_y", False)) else 1

    def _result(self, ref: TensorRef) -> TensorRef:
        """Return what comes of a tensor after the bias and the activation that kernels have built in."""
        biased = False
        while (reader := only_reader(self.graph, ref)) is not None and self.member(reader[0]):
            name, slot = reader
            op = self.graph.node(name).op
            if op in _ADDS and not biased and self._is_bias(name, 1 - slot):
                biased = True
                ref = TensorRef(name)
                continue
            return TensorRef(name) if op in _ACTIVATIONS else ref
        return ref

    def _is_bias(self, name: str, slot: int) -> bool:
        refs = self.graph.inputs(name)
        return slot >= 0 and const_source(self.graph, refs[slot]) is not None

    def _is_inside(self, ref: TensorRef) -> bool:
        """Tell whether only nodes that may be touched read a tensor, and some do, also behind those that move values.

        A head that is reshaped on its way out would gain nothing from eight bits but their error.
        """
        found = readers(self.graph, ref)
        if not found or any(is_pinned(self.graph, copy) for copy in copies(self.graph, ref)):
            return False
        return all(
            self.member(name)
            and (self.graph.node(name).op not in self.rules.pass_through or self._is_inside(TensorRef(name)))
            for name, _ in found
        )

    def pass_through(self, name: str) -> None:
        """Give the result of an op that only selects or moves values the range of what it reads."""
        source = self.points.get(original(self.graph, self.graph.inputs(name)[0]))
        result = TensorRef(name)
        if source is None or not self._is_inside(result):
            return
        source.readers[name, 0] = None
        point = self._read_all(result)
        if point is not None:
            point.source, point.unsigned = source.source, source.unsigned

    def also(self, name: str) -> None:
        """Quantize around an op that computes in INT8 where all that it reads is quantized anyway."""
        slots = list(self._data(name))
        result = self._result(TensorRef(name))
        ready = all(original(self.graph, ref) in self.points or self._is_given(ref) for _, ref in slots)
        if not slots or not ready or not self._is_inside(result):
            return
        for slot, ref in slots:
            self._read(ref, name, slot)
        self._read_all(result)

    def residual(self, name: str) -> None:
        """Quantize one input of a sum, where a layer computes the other for it alone and can add it right away."""
        slots = list(self._data(name))
        if len(slots) != 2:
            return
        fused = [slot for slot, ref in slots if self._computes_for(ref, name)]
        ready = [slot for slot, ref in slots if original(self.graph, ref) in self.points]
        if fused:
            slot, ref = slots[1 - fused[-1]]
            if slot in ready or slot in fused:
                self._read(ref, name, slot)

    def _computes_for(self, ref: TensorRef, name: str) -> bool:
        reader = only_reader(self.graph, ref)
        return original(self.graph, ref) in self._results and reader is not None and reader[0] == name

    def _data(self, name: str) -> Iterator[tuple[int, TensorRef]]:
        """Yield the float inputs of a node; none if one of them is a constant, or of another type than float32."""
        refs = [(i, r) for i, r in enumerate(self.graph.inputs(name)) if tensor_info(self.graph, r).dtype == "float32"]
        if all(const_source(self.graph, ref) is None for _, ref in refs):
            yield from refs

    def _is_given(self, ref: TensorRef) -> bool:
        return self.graph.node(original(self.graph, ref).node).op in QUANTIZED

    def _read(self, ref: TensorRef, name: str, slot: int) -> None:
        """Let one node read a tensor quantized; it stays as it is if it has a range already."""
        if (point := self._point(ref)) is not None:
            point.readers[name, slot] = None

    def _read_all(self, ref: TensorRef) -> Point | None:
        """Let all that may be touched read a tensor quantized, unless models have quantized it themselves."""
        found = readers(self.graph, ref)
        if found and all(self.graph.node(name).op in QUANTIZED for name, _ in found):
            return None
        point = self._point(ref)
        if point is not None:
            point.readers.update({reader: None for reader in found if self.member(reader[0])})
        return point

    def _point(self, ref: TensorRef) -> Point | None:
        ref = original(self.graph, ref)
        if self._is_given(ref) or const_source(self.graph, ref) is not None:
            return None
        if ref not in self.points:
            self.points[ref] = Point(ref, ref.port == 0 and ref.node in self._never_negative, ref)
        return self.points[ref]
