"""Work: a rough idea, without running anything, of whether a cluster does enough to pay for the call of its engine."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfgraft.graph.graph import Graph
from tfgraft.graph.views import tensor_infos
from tfgraft.passes.tag_support import TAG

LIGHT_OPS = 20
"""A cluster of fewer ops, all light, runs in TensorFlow in about the time that an engine call costs (50 microseconds;
TensorFlow takes 2 to 4 for a small op)."""
LARGE_TENSOR = 1 << 14
"""Elements of a tensor on which even an elementwise op is worth something."""
_HEAVY = (
    *("Conv", "DepthwiseConv", "MatMul", "BatchMatMul", "_Fused", "Einsum", "FusedBatchNorm", "MaxPool", "AvgPool"),
    *("Resize", "CropAndResize", "LRN", "FFT", "PartitionedCall", "StatefulPartitionedCall"),
)
"""Ops, by the beginning of their names, that are worth an engine call on small tensors too."""


def is_light(graph: Graph, group: Sequence[str]) -> bool:
    """Tell whether a group of nodes has few ops and none of them heavy, as far as can be known from shapes."""
    size = 0
    for name in group:
        node = graph.node(name)
        tag = graph.facts.get(TAG, name)
        size += tag.weight if tag is not None else 1
        if size >= LIGHT_OPS or node.op.startswith(_HEAVY):
            return False
        for info in tensor_infos(graph, node):
            if info.shape is not None and math.prod(d for d in info.shape if d > 0) >= LARGE_TENSOR:
                return False
    return True
