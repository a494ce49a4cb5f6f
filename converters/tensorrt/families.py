"""All op converters of TensorRT networks, by family; a new family is a new line here."""

from __future__ import annotations

from tfgraft.converters.tensorrt import (
    activation,
    binary,
    cast,
    comparison,
    crop,
    cumulative,
    division,
    einsum,
    fill,
    matmul,
    onehot,
    quantization,
    reduction,
    resize,
    selection,
    softmax,
    topk,
    unary,
)
from tfgraft.registry.entry import Converter

CONVERTERS: tuple[tuple[Converter, ...], ...] = (
    *activation.CONVERTERS,
    *binary.CONVERTERS,
    *cast.CONVERTERS,
    *comparison.CONVERTERS,
    *crop.CONVERTERS,
    *cumulative.CONVERTERS,
    *division.CONVERTERS,
    *einsum.CONVERTERS,
    *fill.CONVERTERS,
    *matmul.CONVERTERS,
    *onehot.CONVERTERS,
    *quantization.CONVERTERS,
    *reduction.CONVERTERS,
    *resize.CONVERTERS,
    *selection.CONVERTERS,
    *softmax.CONVERTERS,
    *topk.CONVERTERS,
    *unary.CONVERTERS,
)
