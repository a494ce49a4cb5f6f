"""Which of TensorFlow's ops LiteRT has built in: what its converter takes and its kernels compute right.

The converter is TensorFlow's own and converts a cluster as a whole, so these entries convert nothing: they are what is
known of it, found by converting and running cases of every op (tests/litert/test_cases.py).
"""

from __future__ import annotations

from typing import Any

from tfgraft.converters.litert.checks import (
    has_axis,
    has_ranks,
    has_safe_divisor,
    is_channels_last,
    is_convolution,
    is_depthwise,
    is_exact_resize,
    is_inference,
    is_plain_slice,
    is_pool,
    is_product,
    reverses_one,
)
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import Check, Converter, OpSpec
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

FLOAT = frozenset({"float32"})
INDEX = frozenset({"int32", "int64"})
NUMBER = FLOAT | INDEX
BOOL = frozenset({"bool"})
VALUE = NUMBER | BOOL
BYTE = frozenset({"int8", "uint8"})


def _whole(context: Any, view: NodeView) -> None:
    """Do nothing: the converter takes the cluster as a whole."""


def _always(view: NodeView) -> Support:
    return SUPPORTED


def _takes(ops: str, dtypes: frozenset[str], check: Check = _always, **spec: Any) -> tuple[Converter, ...]:
    """Return an entry for each of some ops, their names divided by spaces; `spec` are fields of `OpSpec`."""

    def support(view: NodeView) -> Support:
        refusal = has_ranks(view)
        return refusal if isinstance(refusal, Unsupported) else check(view)

    return tuple(
        Converter(op, "litert", _whole, OpSpec(dtypes=dtypes, **spec), support, source=__name__) for op in ops.split()
    )


_AXES = {1: INDEX}
_BOOL_OUT = {0: BOOL}

CONVERTERS: tuple[tuple[Converter, ...], ...] = (
    # Of one input
    _takes("Relu Relu6 Elu LeakyRelu Sigmoid Tanh Exp Log Sqrt Rsqrt Sin Cos Floor Ceil Round Rint", FLOAT),
    _takes("Selu Reciprocal Inv Sign", FLOAT),  # Softplus ends at 88 there
    _takes("Erf Erfc", FLOAT),  # as parts of a Gelu; alone the converter refuses them
    _takes("Abs Square", FLOAT | {"int32"}),
    _takes("Neg", NUMBER),
    _takes("Softmax LogSoftmax", FLOAT),
    _takes("LogicalNot", BOOL),
    _takes("Cast", VALUE | BYTE, attrs={"Truncate": (False,)}),
    _takes("ZerosLike OnesLike IdentityN EnsureShape", VALUE | BYTE),
    # Of two
    _takes("Add AddV2 Sub Mul", NUMBER),
    _takes("AddN", NUMBER),
    _takes("Maximum Minimum", NUMBER),
    _takes("SquaredDifference", FLOAT | {"int32"}),
    _takes("RealDiv Div DivNoNan", FLOAT),
    _takes("FloorDiv", FLOAT | {"int32"}, has_safe_divisor),
    _takes("FloorMod", NUMBER, has_safe_divisor),
    _takes("Pow", FLOAT),
    _takes("Equal NotEqual Less LessEqual Greater GreaterEqual", NUMBER, output_dtypes=_BOOL_OUT),
    _takes("LogicalAnd LogicalOr", BOOL),
    _takes("Select SelectV2", VALUE, input_dtypes={0: BOOL}),
    _takes("BiasAdd", FLOAT, is_channels_last),
    # Convolutions and products
    _takes("Conv2D", FLOAT, is_convolution, ranks={0: (4,), 1: (4,)}),
    _takes("DepthwiseConv2dNative", FLOAT, is_depthwise, ranks={0: (4,), 1: (4,)}),
    _takes("Conv3D", FLOAT, is_convolution, ranks={0: (5,), 1: (5,)}),
    _takes("Conv2DBackpropInput", FLOAT, is_channels_last, input_dtypes={0: frozenset({"int32"})}, ranks={2: (4,)}),
    _takes("MatMul", FLOAT),
    _takes("BatchMatMul BatchMatMulV2 BatchMatMulV3", FLOAT, has_axis),
    _takes("Einsum", FLOAT, is_product),
    _takes("FusedBatchNormV3", FLOAT, is_inference, ranks={0: (4,)}),
    _takes("MaxPool AvgPool", FLOAT, is_pool, ranks={0: (4,)}),
    # Reductions
    _takes("Sum Prod Max Min", NUMBER, input_dtypes=_AXES, constants=(1,)),
    _takes("Mean", NUMBER, input_dtypes={1: frozenset({"int32"})}, constants=(1,)),
    _takes("All Any", BOOL, input_dtypes=_AXES, constants=(1,)),
    _takes("ArgMax ArgMin", FLOAT | {"int32"}, input_dtypes=_AXES, output_dtypes={0: INDEX}, constants=(1,)),
    _takes("Cumsum", NUMBER, input_dtypes=_AXES, constants=(1,)),
    _takes("TopKV2", FLOAT, input_dtypes={1: frozenset({"int32"})}, output_dtypes={1: frozenset({"int32"})}),
    # Shapes
    _takes("Reshape Squeeze ExpandDims", VALUE | BYTE, input_dtypes=_AXES),
    _takes("Shape Size Rank", VALUE | BYTE, output_dtypes={0: INDEX}),
    _takes("Transpose", VALUE | BYTE, input_dtypes=_AXES, constants=(1,)),
    _takes("ConcatV2 Pack", VALUE | BYTE),
    _takes("Unpack", FLOAT | BOOL | BYTE | {"int32"}),
    _takes("Split", FLOAT | BYTE | {"int32"}, constants=(0,)),
    _takes("SplitV", NUMBER, constants=(1, 2)),
    _takes("Slice", VALUE | BYTE, input_dtypes={1: INDEX, 2: INDEX}),
    _takes("StridedSlice", VALUE | BYTE, is_plain_slice, input_dtypes={1: INDEX, 2: INDEX, 3: INDEX}),
    _takes("Tile", VALUE, input_dtypes=_AXES),
    _takes("Pad PadV2", NUMBER, input_dtypes=_AXES, constants=(1,)),
    _takes("MirrorPad", NUMBER, input_dtypes=_AXES, constants=(1,)),
    _takes("BroadcastTo", VALUE, input_dtypes=_AXES),
    _takes("Fill", VALUE, input_dtypes={0: INDEX}),
    _takes("Range", FLOAT | {"int32"}),
    _takes("Gather GatherV2", VALUE | BYTE, input_dtypes={1: INDEX, 2: INDEX}),
    _takes("GatherNd", VALUE, input_dtypes={1: INDEX}),
    _takes("OneHot", VALUE, input_dtypes={0: INDEX, 1: frozenset({"int32"})}),
    _takes("ReverseV2", NUMBER, reverses_one, input_dtypes=_AXES, constants=(1,)),
    _takes("SpaceToDepth DepthToSpace", FLOAT, is_channels_last, ranks={0: (4,)}),
    _takes("ResizeBilinear ResizeNearestNeighbor", FLOAT, is_exact_resize, input_dtypes={1: frozenset({"int32"})}),
)
