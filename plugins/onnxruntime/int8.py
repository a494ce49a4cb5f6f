"""Where ONNX Runtime's CPU provider wants tensors quantized; what was found is in docs/decisions/0008."""

from __future__ import annotations

from tfgraft.plugins.int8_rules import Int8Rules

INT8 = Int8Rules(
    unsigned=True,
    quantize_inputs=frozenset(
        {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul", "Einsum"}
        | {"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"}
    ),
    quantize_outputs=frozenset({"Conv2D", "Conv3D", "DepthwiseConv2dNative"}),
    also=frozenset({"Add", "AddV2", "Mul", "Sigmoid", "LeakyRelu", "AvgPool", "Mean", "ConcatV2"}),
    pass_through=frozenset(
        {"MaxPool", "MaxPoolV2", "Max", "Pad", "Reshape", "Squeeze", "ExpandDims", "Transpose", "Tile"}
        | {"Slice", "StridedSlice", "GatherV2", "DepthToSpace", "ResizeNearestNeighbor"}
    ),
)
"""Every op that computes has Dequantizes before it and a Quantize behind it: the group becomes one integer kernel."""
