"""Work: a rough idea, without running anything, of whether a cluster does enough to pay for the call of its engine."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfgraft.graph.graph import Graph
from tfgraft.graph.views import const_source, tensor_infos
from tfgraft.passes.tag_support import TAG

CALL = 50.0
"""Microseconds that the call of an engine costs."""
TENSOR = 3.0
"""Microseconds more for each tensor that goes in or out."""
SAVED = 1.8
"""Microseconds that a small op takes longer in TensorFlow than in an engine."""
LARGE_TENSOR = 1 << 14
"""Elements of a tensor on which even an elementwise op is worth something."""
_HEAVY = (
    *("Conv", "DepthwiseConv", "MatMul", "BatchMatMul", "_Fused", "Einsum", "FusedBatchNorm", "MaxPool", "AvgPool"),
    *("Resize", "CropAndResize", "LRN", "FFT", "PartitionedCall", "StatefulPartitionedCall"),
)
"""Ops, by the beginning of their names, that are worth an engine call on small tensors too."""


def is_light(graph: Graph, group: Sequence[str]) -> bool:
    """Tell whether a group has only small ops, as far as shapes tell, and too few of them for an engine call.

    The figures are round ones for a processor of 2024; `tfgraft bench` measures what really comes of it.
    """
    inside = set(group)
    size = 0
    tensors = set()
    for name in group:
        node = graph.node(name)
        if node.op.startswith(_HEAVY):
            return False
        for info in tensor_infos(graph, node):
            if info.shape is not None and math.prod(d for d in info.shape if d > 0) >= LARGE_TENSOR:
                return False
        tag = graph.facts.get(TAG, name)
        size += tag.weight if tag is not None else 1
        tensors.update(r for r in graph.inputs(name) if r.node not in inside and const_source(graph, r) is None)
        tensors.update((name, port) for target, _, port in graph.consumers(name) if target not in inside)
    return SAVED * size < CALL + TENSOR * len(tensors)
