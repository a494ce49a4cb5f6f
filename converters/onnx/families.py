"""All ONNX op converters, by family; a new family is a new line here."""

from __future__ import annotations

from tfgraft.converters.onnx import activation, convolution
from tfgraft.registry.entry import Converter

CONVERTERS: tuple[tuple[Converter, ...], ...] = (
    *activation.CONVERTERS,
    *convolution.CONVERTERS,
)
