"""fold_scales: fold a per-channel scale or batch normalization after a convolution into its kernel.

A quantized convolution wants its result quantized right behind it, so nothing but a bias and an activation may stand
in between. Integer kernels have a scale for each output channel, so a folded kernel loses nothing by it (Jacob et al.,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018, section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tfgraft.graph.attrs import Attrs
from tfgraft.graph.chains import constant_side, only_reader
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import TENSORS, const_node, const_source, const_value, tensor_info
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.prune import Prune

Array = NDArray[Any]

_KERNELS: dict[str, Callable[[Array, Array], Array]] = {
    "Conv2D": lambda kernel, scale: kernel * scale,
    "Conv3D": lambda kernel, scale: kernel * scale,
    "DepthwiseConv2dNative": lambda kernel, scale: kernel * scale.reshape(kernel.shape[2:]),
    "MatMul": lambda kernel, scale: kernel * scale,
}
"""How the kernel of an op, in TensorFlow's order of dimensions, takes a scale for each output channel."""
_NORMS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_EPSILON = 1e-4
"""The default of the attribute epsilon."""


@dataclass(frozen=True)
class _Affine:
    """A node that computes `x * scale + offset` for each channel; None for a part that it has not."""

    name: str
    slot: int
    scale: Array | None
    offset: Array | None


@dataclass(frozen=True)
class FoldScales:
    """Folds scales into constant float32 kernels that nothing else reads, in the main graph and in function bodies.

    `Conv -> (+ bias) -> * scale -> (+ offset)` becomes `Conv -> BiasAdd`, where each part is read by the next alone
    and no part is fetched. Shapes must have been inferred.
    """

    name: ClassVar[str] = "fold_scales"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Fold."""
        count = ctx.rewrite(graph, lambda one: sum(_fold(one, node.name) for node in list(one) if node.op in _KERNELS))
        if count:
            Prune().run(graph, ctx)
        return PassResult(count > 0, f"folded {count} scales")


def _fold(graph: Graph, name: str) -> bool:
    node = graph.node(name)
    const = const_source(graph, graph.inputs(name)[1])
    channels = _channels(graph, node)
    if const is None or channels is None or not _is_plain(node):
        return False
    last = TensorRef(name)
    scale, offset = np.ones(channels), np.zeros(channels)
    scaled, chain = False, []
    while (found := _next(graph, last, channels)) is not None:
        if found.scale is not None:
            scale, offset, scaled = scale * found.scale, offset * found.scale, True
        if found.offset is not None:
            offset = offset + found.offset
        chain.append(found)
        last = TensorRef(found.name)
    if not scaled:
        return False
    kernel = _KERNELS[node.op](const_value(const).astype(np.float64), scale)
    if not (np.isfinite(kernel).all() and np.isfinite(offset).all()):
        return False
    _rewrite(graph, node, kernel.astype(np.float32), offset.astype(np.float32), last)
    return True


def _is_plain(node: Node) -> bool:
    """Tell whether channels are last, and so broadcast with vectors, and the type is float32."""
    layout = node.attrs.get("data_format", b"NHWC")
    return layout in (b"NHWC", b"NDHWC") and node.dtype("T") == "float32" and not node.attrs.get("transpose_b", False)


def _channels(graph: Graph, node: Node) -> int | None:
    shape = tensor_info(graph, graph.inputs(node.name)[1]).shape
    if shape is None or any(d < 0 for d in shape):
        return None
    return shape[2] * shape[3] if node.op == "DepthwiseConv2dNative" else shape[-1]


def _next(graph: Graph, ref: TensorRef, channels: int) -> _Affine | None:
    """Return the affine node that alone reads a tensor, through copies."""
    reader = only_reader(graph, ref)
    if reader is None:
        return None
    name, slot = reader
    node = graph.node(name)
    if node.op in _NORMS:
        return _norm(graph, node) if slot == 0 else None
    value = constant_side(graph, name, 1 - slot) if node.op in ("Mul", "Add", "AddV2", "Sub", "BiasAdd") else None
    if value is None or (slot == 1 and node.op in ("Sub", "BiasAdd")):
        return None
    rank = tensor_info(graph, ref).rank
    vector = _per_channel(value, channels, rank)
    if vector is None or node.attrs.get("data_format", b"NHWC") != b"NHWC":
        return None
    if node.op == "Mul":
        return _Affine(name, slot, vector, None)
    return _Affine(name, slot, None, -vector if node.op == "Sub" else vector)


def _per_channel(value: Array, channels: int, rank: int | None) -> Array | None:
    """Return a constant as a vector over the channels, if it broadcasts to nothing more than that."""
    if value.size == 1 and (rank is None or value.ndim <= rank):
        return np.full(channels, value.ravel()[0], np.float64)
    fits = value.size == channels and value.ndim >= 1 and value.shape[-1] == channels
    return value.reshape(-1).astype(np.float64) if fits and (value.ndim == 1 or value.ndim == rank) else None


def _norm(graph: Graph, node: Node) -> _Affine | None:
    if node.attrs.get("is_training", True) or node.attrs.get("data_format", b"NHWC") != b"NHWC":
        return None
    if any(port > 0 for _, _, port in graph.consumers(node.name)):
        return None
    parts = [constant_side(graph, node.name, i) for i in range(1, 5)]
    if any(part is None for part in parts):
        return None
    gamma, beta, mean, variance = (np.asarray(part, np.float64) for part in parts)
    scale = gamma / np.sqrt(variance + float(node.attrs.get("epsilon", _EPSILON)))
    return _Affine(node.name, 0, scale, beta - mean * scale)


def _rewrite(graph: Graph, node: Node, kernel: Array, offset: Array, last: TensorRef) -> None:
    """Give the node its new kernel; a BiasAdd takes the place, and the name, of the last node of its chain."""
    shape = tensor_info(graph, TensorRef(node.name))
    weight = const_node(graph.unique_name(f"{node.name}/folded_kernel"), kernel)
    bias = const_node(graph.unique_name(f"{node.name}/folded_bias"), offset)
    dtype = node.attrs.proto("T")
    with graph.edit() as edit:
        for const in (weight, bias):
            edit.add(const)
        edit.set_input(node.name, 1, TensorRef(weight.name))
        replaced = graph.node(last.node)
        edit.replace(Node(last.node, "BiasAdd", replaced.device, Attrs({"T": dtype, "data_format": b"NHWC"})))
        edit.set_inputs(last.node, [TensorRef(node.name), TensorRef(bias.name)], graph.control_inputs(last.node))
    graph.facts.update(TENSORS, {last.node: (shape,)})
