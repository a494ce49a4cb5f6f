"""A cost model: about how long nodes take in TensorFlow and in an engine, from ops and shapes alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from tfgraft.choice.figures import Figures
from tfgraft.graph import dtypes
from tfgraft.graph.functions import LOOPS, called
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import PASS_THROUGH, const_source, tensor_info
from tfgraft.plugins.protocol import Cluster

ROUNDS = 10
"""So many rounds a loop is taken to do."""
_CONVOLUTIONS = {"Conv2D", "Conv3D", "_FusedConv2D", "Conv2DBackpropInput", "Conv3DBackpropInputV2"}
_DEPTHWISE = {"DepthwiseConv2dNative", "_FusedDepthwiseConv2dNative"}
_PRODUCTS = {"MatMul", "_FusedMatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"}
_FUSED = {
    *("BiasAdd", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
    *("Relu", "Relu6", "Elu", "LeakyRelu", "Tanh", "Sigmoid"),
}
"""What everybody computes along with the convolution or product that it follows."""
_FREE = PASS_THROUGH | {"Reshape", "Squeeze", "ExpandDims", "Shape", "ShapeN", "Size", "Rank", "NoOp", "Placeholder"}
"""What moves no elements."""
_PARTS = {"GatherV2", "Gather", "GatherNd", "StridedSlice", "Slice"}
"""What reads no more than it writes."""


@dataclass(frozen=True)
class Work:
    """What nodes have to do.

    Args:
        ops: how many there are.
        kernels: how many of them are convolutions and products.
        convolution, depthwise, product: floating point operations.
        weights: bytes that products read and write.
        elements: bytes that the other ops read and write.
    """

    ops: float = 0
    kernels: float = 0
    convolution: float = 0
    depthwise: float = 0
    product: float = 0
    weights: float = 0
    elements: float = 0

    def __add__(self, other: Work) -> Work:
        return Work(*(a + b for a, b in zip(self._all(), other._all(), strict=True)))

    def __mul__(self, times: float) -> Work:
        return Work(*(times * a for a in self._all()))

    def _all(self) -> tuple[float, ...]:
        heavy = self.convolution, self.depthwise, self.product
        return self.ops, self.kernels, *heavy, self.weights, self.elements

    def milliseconds(self, figures: Figures) -> float:
        """Return how long it takes, without what the call of an engine costs."""
        micro = self.ops * figures.op + self.kernels * figures.kernel
        micro += 1e-3 * (
            self.convolution / figures.convolution
            + self.depthwise / figures.depthwise
            + max(self.product / figures.product, self.weights / figures.weights)
            + self.elements / figures.elements
        )
        return 1e-3 * micro


def boundary_milliseconds(cluster: Cluster, figures: Figures) -> float:
    """Return what the call of a cluster's engine costs, whatever it computes."""
    return 1e-3 * (figures.call + figures.tensor * (len(cluster.inputs) + len(cluster.outputs)))


def work_of(graph: Graph, names: Iterable[str]) -> Work:
    """Return what nodes have to do, those in the functions that they call included; the fact `TENSORS` is there.

    Unknown sizes are taken as 1, and loops as `ROUNDS` rounds.
    """
    heavy: set[str] = set()
    """Convolutions and products, and what is computed along with them."""
    total = Work()
    for name in names:
        node = graph.node(name)
        if node.op == "Const":
            continue
        if node.op in _FUSED and _follows(graph, name, heavy):
            heavy.add(name)
            continue
        work = _work(graph, name)
        if work.convolution or work.depthwise or work.product:
            heavy.add(name)
            work = replace(work, kernels=1)
        rounds = ROUNDS if node.op in LOOPS else 1
        for body in _bodies(graph, node):
            work += work_of(body, [name for name in body.topological() if name not in body.fed]) * rounds
        total += work
    return total


def loops(graph: Graph, names: Iterable[str]) -> bool:
    """Tell whether there are loops among nodes and in the functions that they call."""
    nodes = [graph.node(name) for name in names]
    for body in map(graph.library.body, graph.library.reachable(nodes)):
        nodes += [] if body is None else list(body)
    return any(node.op in LOOPS for node in nodes)


def _bodies(graph: Graph, node: Node) -> list[Graph]:
    library = graph.library
    names = [name for name in called(node) if name in library]
    if not names or library.has_recursion([node]):
        return []
    return [body for body in map(library.body, names) if body is not None]


def _follows(graph: Graph, name: str, heavy: set[str]) -> bool:
    source = graph.inputs(name)[0].node
    return source in heavy and len(graph.consumers(source)) == 1


def _work(graph: Graph, name: str) -> Work:
    node = graph.node(name)
    one = Work(ops=1)
    inputs = graph.inputs(name)
    out = _size(graph, TensorRef(name))
    if node.op in _FREE:
        return one
    if node.op in _CONVOLUTIONS and len(inputs) > 1:
        filters = _shape(graph, inputs[1])
        if "Backprop" in node.op:  # filters are (..., out, in), and it is the input that they are laid over
            return replace(one, convolution=2 * _size(graph, inputs[2]) * math.prod(filters[:-1]))
        return replace(one, convolution=2 * out * math.prod(filters[:-1]))
    if node.op in _DEPTHWISE and len(inputs) > 1:
        return replace(one, depthwise=2 * out * math.prod(_shape(graph, inputs[1])[:2]))
    moved = sum(_bytes(graph, ref) for ref in inputs) + _outputs(graph, name)
    if node.op in _PRODUCTS:
        turned = node.attrs.get("transpose_a", node.attrs.get("adj_x", False))
        left = _shape(graph, inputs[0])[-2:]
        return replace(one, product=2 * out * (left[0 if turned else -1] if left else 1), weights=moved)
    if node.op == "Einsum":
        return replace(one, product=2 * _einsum(graph, name), weights=moved)
    if node.op in _PARTS:
        return replace(one, elements=2 * _outputs(graph, name))
    return replace(one, elements=0 if _bodies(graph, node) else moved)


def _einsum(graph: Graph, name: str) -> float:
    """Return the product of the sizes of all that an Einsum's letters stand for."""
    equation = graph.node(name).attrs.get("equation", b"")
    text = equation.decode() if isinstance(equation, bytes) else str(equation)
    sizes: dict[str, int] = {}
    for term, ref in zip(text.partition("->")[0].replace("...", "").split(","), graph.inputs(name), strict=False):
        sizes.update(zip(reversed(term), reversed(_shape(graph, ref)), strict=False))
    return math.prod(sizes.values())


def _shape(graph: Graph, ref: TensorRef) -> tuple[int, ...]:
    source = const_source(graph, ref)
    shape = tensor_info(graph, ref if source is None else TensorRef(source.name)).shape
    return tuple(1 if d < 0 else d for d in shape or ())


def _size(graph: Graph, ref: TensorRef) -> int:
    return math.prod(_shape(graph, ref))


def _bytes(graph: Graph, ref: TensorRef) -> float:
    dtype = tensor_info(graph, ref).dtype
    width = np.dtype(dtype).itemsize if dtype in dtypes.PLAIN else 2 if dtype == "bfloat16" else 8
    return _size(graph, ref) * width


def _outputs(graph: Graph, name: str) -> float:
    ports = {port for _, _, port in graph.consumers(name)} | {0}
    return sum(_bytes(graph, TensorRef(name, port)) for port in ports)
