"""Where TensorRT wants tensors quantized, by NVIDIA's guidance on the placement of Quantize and Dequantize layers."""

from __future__ import annotations

from tfgraft.plugins.int8_rules import Int8Rules

INT8 = Int8Rules(
    quantize_inputs=frozenset(
        {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"}
    ),
    residual=frozenset({"Add", "AddV2"}),
    pass_through=frozenset({"MaxPool", "Reshape", "Squeeze", "ExpandDims", "Transpose"}),
)
"""Inputs of what computes, and one input of a residual addition. Outputs are left: TensorRT moves the next Quantize
layer back to what computes its input, and a Quantize that nothing needs would only stand in the way of fusions."""
