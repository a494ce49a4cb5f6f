"""Where OpenVINO's CPU plugin wants tensors quantized.

Seen with OpenVINO 2026.4 by reading the compiled model (tests/openvino/test_int8.py): with these, convolutions,
products, averages and pools become integer kernels, and additions are joined to the convolution before them.
Activations are unsigned: signed ones came out wrong (by 0.4) on a processor without integer dot products, where they
saturate.
"""

from __future__ import annotations

from tfgraft.plugins.int8_rules import Int8Rules

INT8 = Int8Rules(
    unsigned=True,
    quantize_inputs=frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul"}),
    quantize_outputs=frozenset({"Conv2D", "DepthwiseConv2dNative"}),
    also=frozenset({"Add", "AddV2", "Mean"}),
    pass_through=frozenset({"MaxPool", "MaxPoolV2", "Reshape", "Squeeze", "ExpandDims", "Transpose"}),
)
