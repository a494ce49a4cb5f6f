"""All op converters of TensorRT networks."""

from __future__ import annotations

from tfgraft.converters.tensorrt import activation, crop, resize
from tfgraft.registry.entry import Converter

CONVERTERS: tuple[tuple[Converter, ...], ...] = (*activation.CONVERTERS, *crop.CONVERTERS, *resize.CONVERTERS)
