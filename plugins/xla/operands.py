"""Operands that XLA must know when it compiles (shapes, axes, sizes), and where a cluster computes them of data."""

from __future__ import annotations

from collections.abc import Iterator

from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_source
from tfgraft.plugins.protocol import Cluster

_OPERANDS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Reshape", "Tile", "BroadcastTo", "Transpose", "ConjugateTranspose", "ExpandDims"), (1,)),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad", "ReverseV2", "Reverse", "ArgMax", "ArgMin", "TopKV2"), (1,)),
    **dict.fromkeys(("Sum", "Mean", "Prod", "Max", "Min", "All", "Any", "OneHot", "Cumsum", "Cumprod"), (1,)),
    **dict.fromkeys(("ResizeBilinear", "ResizeNearestNeighbor", "Bincount", "DenseBincount"), (1,)),
    **dict.fromkeys(("SpaceToBatch", "BatchToSpace"), (1,)),
    **dict.fromkeys(("SpaceToBatchND", "BatchToSpaceND", "SplitV"), (1, 2)),
    **dict.fromkeys(("Fill", "Empty", "Split", "Conv2DBackpropInput", "Conv3DBackpropInputV2", "Concat"), (0,)),
    **dict.fromkeys(("Slice", "ScatterNd", "GatherV2"), (2,)),
    **dict.fromkeys(("UnsortedSegmentSum", "UnsortedSegmentProd", "UnsortedSegmentMax", "UnsortedSegmentMin"), (2,)),
    "ConcatV2": (-1,),
    "Range": (0, 1, 2),
    "LinSpace": (0, 1, 2),
    "StridedSlice": (3,),
}
"""By op: which inputs must be compile-time constants; -1 is the last. Ops and cases that are not here are found by
compiling."""
_SIZES = frozenset({"Shape", "ShapeN", "Size", "Rank"})
"""Ops whose results XLA knows when it compiles, whatever their inputs hold."""


def data_dependent(cluster: Cluster, graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield the nodes of a cluster that compute such an operand of what the cluster reads, each with a sentence."""
    members = set(cluster.nodes)
    known: dict[str, bool] = {}
    for name in cluster.nodes:
        node, inputs = graph.node(name), graph.inputs(name)
        if node.op == "Const":
            continue
        known[name] = node.op in _SIZES or all(_is_known(graph, ref, members, known) for ref in inputs)
        for i in _OPERANDS.get(node.op, ()):
            if inputs and -len(inputs) <= i < len(inputs) and not _is_known(graph, inputs[i], members, known):
                yield (
                    name,
                    f"XLA needs input {i % len(inputs)} of {node.op} when it compiles, and {inputs[i]} is computed of "
                    "values; it may be a constant, or computed of shapes.",
                )
                break


def _is_known(graph: Graph, ref: TensorRef, members: set[str], known: dict[str, bool]) -> bool:
    return const_source(graph, ref) is not None or (ref.node in members and known.get(ref.node, False))
