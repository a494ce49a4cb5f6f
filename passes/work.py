"""Work: a rough idea, without running anything, of whether a cluster does enough to pay for the call of its engine."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_source, tensor_info
from tfgraft.passes.tag_support import TAG

CALL = 50.0
"""Microseconds that the call of an engine costs."""
TENSOR = 3.0
"""Microseconds more for each tensor that goes in or out."""
ELEMENTS = 1000.0
"""Elements of a tensor at the boundary that take a microsecond: it leaves the caches, and may be copied."""
SAVED = 1.8
"""Microseconds that a small op takes longer in TensorFlow than in an engine."""
_HEAVY = (
    *("Conv", "DepthwiseConv", "_Fused", "BatchMatMul", "Einsum", "FusedBatchNorm", "MaxPool", "AvgPool"),
    *("Resize", "CropAndResize", "LRN", "FFT", "PartitionedCall", "StatefulPartitionedCall"),
)
"""Ops, by the beginning of their names, that engines compute in another way than TensorFlow; elementwise ops on large
tensors are bound by memory on both sides."""
SMALL_WEIGHT = 1 << 16
"""Elements of a weight below which a MatMul (of one row or few) is no heavier than other ops."""
SMALL_IN_LOOP = 1 << 20
"""The same in the body of a loop: the weight stays in the caches, where TensorFlow reads it as fast as an engine."""


def is_light(graph: Graph, group: Sequence[str], in_loop: bool = False) -> bool:
    """Tell whether a group has no heavy op, and too few others to pay for the call of an engine.

    The figures are round ones for a processor of 2024; `tfgraft bench` measures what really comes of it.
    """
    inside = set(group)
    small = SMALL_IN_LOOP if in_loop else SMALL_WEIGHT
    size = 0
    boundary: set[TensorRef] = set()
    for name in group:
        if graph.node(name).op.startswith(_HEAVY) or _is_large_product(graph, name, small):
            return False
        tag = graph.facts.get(TAG, name)
        size += tag.weight if tag is not None else 1
        boundary.update(r for r in graph.inputs(name) if r.node not in inside and const_source(graph, r) is None)
        boundary.update(TensorRef(name, port) for target, _, port in graph.consumers(name) if target not in inside)
    elements = sum(math.prod(d for d in tensor_info(graph, ref).shape or () if d > 0) for ref in boundary)
    return SAVED * size < CALL + TENSOR * len(boundary) + elements / ELEMENTS


def _is_large_product(graph: Graph, name: str, small: int) -> bool:
    if graph.node(name).op != "MatMul":
        return False
    sizes = [math.prod(max(d, 1) for d in tensor_info(graph, ref).shape or (small,)) for ref in graph.inputs(name)]
    return max(sizes) >= small
