"""Where OpenVINO's CPU plugin wants tensors quantized.

Seen with OpenVINO 2026.4 by reading the compiled model (tests/openvino/test_int8.py): with these, convolutions,
products, averages and pools become integer kernels, and additions are joined to the convolution before them.
Activations are unsigned: signed ones came out wrong (by 0.4) on a processor without integer dot products. There the
kernels add two products of uint8 and int8 in 16 bits, and weights get twice the room that they need: MobileNetV2 came
out wrong by 0.24 otherwise.
"""

from __future__ import annotations

import importlib
from dataclasses import replace

from tfgraft.plugins.int8_rules import Int8Rules
from tfgraft.plugins.saturation import saturates

_RULES = Int8Rules(
    unsigned=True,
    quantize_inputs=frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul"}),
    quantize_outputs=frozenset({"Conv2D", "DepthwiseConv2dNative"}),
    also=frozenset({"Add", "AddV2", "Mean"}),
    pass_through=frozenset({"MaxPool", "MaxPoolV2", "Reshape", "Squeeze", "ExpandDims", "Transpose"}),
)


def int8() -> Int8Rules:
    """Return the rules for this processor, which ONNX Runtime's kernels tell: both have the same instructions."""
    try:
        safe = not saturates(importlib.import_module("onnxruntime"))
    except ImportError:
        safe = False
    return _RULES if safe else replace(_RULES, room=2)
