"""Signs: which tensors are never negative, whatever is fed."""

from __future__ import annotations

from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import PASS_THROUGH, const_source, const_value

_NEVER = frozenset({"Relu", "Relu6", "Sigmoid", "Softmax", "Abs", "Square", "Exp", "Softplus", "SquaredDifference"})
_IF_FIRST = PASS_THROUGH | {
    *("MaxPool", "AvgPool", "Mean", "Sum", "Max", "Min", "Sqrt", "Pad", "MirrorPad", "Reshape", "Transpose", "Squeeze"),
    *("ExpandDims", "StridedSlice", "Slice", "Tile", "GatherV2", "ResizeBilinear", "ResizeNearestNeighbor"),
    *("SpaceToDepth", "DepthToSpace", "SpaceToBatchND", "BatchToSpaceND"),
}
"""Ops whose result is not negative if their first input is not."""
_IF_ALL = frozenset({"Add", "AddV2", "AddN", "BiasAdd", "Mul", "RealDiv", "Pack", "ConcatV2", "Minimum"})
_IF_ANY = frozenset({"Maximum"})


def never_negative(graph: Graph) -> set[str]:
    """Return the nodes whose first output cannot be negative by the ops that it comes of; NaN aside."""
    found: set[str] = set()

    def holds(ref: TensorRef) -> bool:
        const = const_source(graph, ref)
        if const is None:
            return ref.node in found
        value = const_value(const)
        return value.dtype.kind not in "OSUc" and bool((value >= 0).all())

    for name in graph.topological():
        op = graph.node(name).op
        if name in graph.fed:
            continue
        inputs = graph.inputs(name)
        if op == "ConcatV2":
            inputs = inputs[:-1]  # the last one is the axis
        if (
            op in _NEVER
            or (op in _IF_FIRST and inputs and holds(inputs[0]))
            or (op in _IF_ALL and all(map(holds, inputs)))
            or (op in _IF_ANY and any(map(holds, inputs)))
        ):
            found.add(name)
    return found
