"""Where ONNX Runtime's CPU provider wants tensors quantized; see docs/decisions."""

from __future__ import annotations

from tfgraft.plugins.protocol import Int8Rules

INT8 = Int8Rules(
    unsigned=True,
    quantize_inputs=frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMul", "BatchMatMulV2"}),
    quantize_outputs=frozenset({"Conv2D", "DepthwiseConv2dNative"}),
    also=frozenset({"Add", "AddV2", "Mul", "AvgPool", "Mean", "ConcatV2"}),
    pass_through=frozenset({"MaxPool", "Reshape", "Squeeze", "ExpandDims", "Transpose", "Pad"}),
)
"""Every op that computes has Dequantizes before it and a Quantize behind it: the group becomes one integer kernel."""
