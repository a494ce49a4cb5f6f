"""All op converters of TensorRT networks, by family; a new family is a new line here."""

from __future__ import annotations

from tfgraft.converters.tensorrt import (
    activation,
    binary,
    cast,
    comparison,
    crop,
    division,
    fill,
    quantization,
    resize,
    selection,
    unary,
)
from tfgraft.registry.entry import Converter

CONVERTERS: tuple[tuple[Converter, ...], ...] = (
    *activation.CONVERTERS,
    *binary.CONVERTERS,
    *cast.CONVERTERS,
    *comparison.CONVERTERS,
    *crop.CONVERTERS,
    *division.CONVERTERS,
    *fill.CONVERTERS,
    *quantization.CONVERTERS,
    *resize.CONVERTERS,
    *selection.CONVERTERS,
    *unary.CONVERTERS,
)
