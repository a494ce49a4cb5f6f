"""All op converters of TensorRT networks, by family; a new family is a new line here."""

from __future__ import annotations

from tfgraft.converters.tensorrt import (
    activation,
    binary,
    cast,
    comparison,
    convolution,
    crop,
    cumulative,
    detection,
    division,
    einsum,
    fill,
    matmul,
    onehot,
    pooling,
    quantization,
    reduction,
    resize,
    selection,
    softmax,
    topk,
    transposed_convolution,
    unary,
)
from tfgraft.registry.entry import Converter

CONVERTERS: tuple[tuple[Converter, ...], ...] = (
    *activation.CONVERTERS,
    *binary.CONVERTERS,
    *cast.CONVERTERS,
    *comparison.CONVERTERS,
    *convolution.CONVERTERS,
    *crop.CONVERTERS,
    *detection.CONVERTERS,
    *cumulative.CONVERTERS,
    *division.CONVERTERS,
    *einsum.CONVERTERS,
    *fill.CONVERTERS,
    *matmul.CONVERTERS,
    *onehot.CONVERTERS,
    *pooling.CONVERTERS,
    *quantization.CONVERTERS,
    *reduction.CONVERTERS,
    *resize.CONVERTERS,
    *selection.CONVERTERS,
    *softmax.CONVERTERS,
    *topk.CONVERTERS,
    *transposed_convolution.CONVERTERS,
    *unary.CONVERTERS,
)
