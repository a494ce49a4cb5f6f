"""Which ops compute in half precision: a table, in the spirit of TensorFlow's own automatic mixed precision.

The table is about numbers alone. Whether TensorFlow and an engine have an op in half precision is asked of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from tfgraft.graph.view import NodeView

FEW = 64
"""Windows of so many elements may be averaged in half precision: a whole image of 8x8, but no larger one."""


class Kind(Enum):
    """What becomes of an op."""

    ALLOW = "allow"
    """Computes in half precision wherever it can."""
    INFER = "infer"
    """Rounds its result: in half precision if something that it reads is, and nothing that it reads is unsafe."""
    CLEAR = "clear"
    """Moves or chooses values and rounds nothing: decided as for INFER."""
    DENY = "deny"
    """Stays in float32, and makes unsafe what INFER and CLEAR ops compute of its result."""


@dataclass(frozen=True)
class Group:
    """Ops that are treated alike, and why."""

    kind: Kind
    ops: tuple[str, ...]
    why: str


GROUPS: tuple[Group, ...] = (
    Group(
        Kind.ALLOW,
        ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "_FusedMatMul"),
        "Where the time goes; engines add the products up in float32.",
    ),
    Group(
        Kind.ALLOW,
        ("Conv2D", "Conv2DBackpropInput", "DepthwiseConv2dNative", "Conv3D", "Conv3DBackpropInputV2"),
        "Where the time goes; engines add the products up in float32.",
    ),
    Group(
        Kind.INFER,
        (
            *("Add", "AddV2", "AddN", "Sub", "Mul", "MulNoNan", "RealDiv", "Div", "DivNoNan", "BiasAdd", "BiasAddV1"),
            "ScatterNd",
        ),
        "One rounding each.",
    ),
    Group(
        Kind.INFER,
        ("Sigmoid", "Tanh", "Elu", "Selu", "LeakyRelu", "Softplus", "Softsign", "Erf", "Erfc"),
        "Activations: their results are no larger than what they read, or bounded.",
    ),
    Group(
        Kind.INFER,
        ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
        "A scale and an offset; the statistics, and their parameters, stay in float32. Training mode is denied.",
    ),
    Group(
        Kind.INFER,
        ("AvgPool", "AvgPool3D"),
        f"Windows of at most {FEW} elements; larger ones are denied.",
    ),
    Group(
        Kind.INFER,
        ("ResizeBilinear", "ResizeBicubic", "ResizeArea", "CropAndResize"),
        "A mean of few pixels. TensorFlow gives the result in float32 whatever it reads.",
    ),
    Group(
        Kind.CLEAR,
        ("Relu", "Relu6", "Abs", "Neg", "Sign", "Floor", "Ceil", "Round", "Rint", "ClipByValue"),
        "Exact on whatever they read.",
    ),
    Group(
        Kind.CLEAR,
        ("Maximum", "Minimum", "Max", "Min", "ArgMax", "ArgMin", "MaxPool", "MaxPoolV2", "MaxPool3D", "TopKV2"),
        "Choose among what they read.",
    ),
    Group(
        Kind.CLEAR,
        (
            *("Reshape", "Squeeze", "ExpandDims", "Transpose", "Concat", "ConcatV2", "Pack", "Unpack", "Split"),
            *("SplitV", "Slice", "StridedSlice", "Gather", "GatherV2", "GatherNd", "Tile", "BroadcastTo", "Reverse"),
            *("ReverseV2", "ReverseSequence", "Roll", "Pad", "PadV2", "MirrorPad", "SpaceToBatch", "SpaceToBatchND"),
            *("BatchToSpace", "BatchToSpaceND", "SpaceToDepth", "DepthToSpace", "ResizeNearestNeighbor", "EnsureShape"),
            *("Select", "SelectV2", "TensorScatterUpdate", "DynamicStitch", "MatrixDiagV3"),
            *("MatrixBandPart", "Fill", "OneHot"),
        ),
        "Move values.",
    ),
    Group(
        Kind.CLEAR,
        ("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike", "Cast"),
        "Read no values, or give them in a type that they are told.",
    ),
    Group(
        Kind.DENY,
        ("Softmax", "LogSoftmax", "Exp", "Expm1", "Log", "Log1p", "Pow", "Xlogy", "Xdivy", "Sinh", "Cosh"),
        "Exponentials leave FP16's range from 11 on; logarithms and powers magnify the rounding of what they read.",
    ),
    Group(
        Kind.DENY,
        (
            *("Sum", "Mean", "Prod", "EuclideanNorm", "L2Loss", "Cumsum", "Cumprod", "CumulativeLogsumexp", "LRN"),
            *("SegmentSum", "SegmentMean", "UnsortedSegmentSum"),
        ),
        "Long sums and products lose what is small beside them.",
    ),
    Group(
        Kind.DENY,
        ("Square", "SquaredDifference", "Sqrt", "Rsqrt", "Reciprocal", "Inv"),
        "Statistics of normalizations: squares leave FP16's range from 256 on, inverses below 0.0000153.",
    ),
    Group(
        Kind.DENY,
        ("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Atan2", "FloorDiv", "FloorMod", "Mod", "TruncateDiv"),
        "Angles and remainders: only what is left of a large number counts.",
    ),
    Group(
        Kind.DENY,
        ("Range", "LinSpace"),
        "Positions: FP16 has no odd numbers from 2048 on, BF16 from 256 on.",
    ),
    Group(
        Kind.DENY,
        ("Equal", "NotEqual", "ApproximateEqual", "Greater", "GreaterEqual", "Less", "LessEqual"),
        "Thresholds stay as they are given; no number comes of a comparison.",
    ),
    Group(
        Kind.DENY,
        ("SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits", "CTCLoss", "CTCLossV2"),
        "Losses.",
    ),
)

TABLE: dict[str, Group] = {op: group for group in GROUPS for op in group.ops}


def kind_of(view: NodeView) -> tuple[Kind, str]:
    """Return what the table says of a node, and why; ops that are not in it are denied."""
    group = TABLE.get(view.op)
    if group is None:
        return Kind.DENY, f"{view.op} is not in the table of ops for half precision."
    if view.op in ("AvgPool", "AvgPool3D") and (count := math.prod(view.attr("ksize", ()))) > FEW:
        return Kind.DENY, f"{view.op} adds up {count} elements; in half precision it may at most {FEW}."
    if view.op.startswith("FusedBatchNorm") and view.attr("is_training", True):
        return Kind.DENY, f"{view.op} computes statistics."
    return group.kind, group.why
