"""All ONNX op converters, by family; a new family is a new line here."""

from __future__ import annotations

from tfgraft.converters.onnx import (
    activation,
    convolution,
    detection,
    fused,
    normalization,
    pooling,
    quantization,
    rearrange,
    resize,
    softmax,
    transposed_convolution,
)
from tfgraft.registry.entry import Converter

CONVERTERS: tuple[tuple[Converter, ...], ...] = (
    *activation.CONVERTERS,
    *convolution.CONVERTERS,
    *detection.CONVERTERS,
    *fused.CONVERTERS,
    *normalization.CONVERTERS,
    *pooling.CONVERTERS,
    *quantization.CONVERTERS,
    *rearrange.CONVERTERS,
    *resize.CONVERTERS,
    *softmax.CONVERTERS,
    *transposed_convolution.CONVERTERS,
)
