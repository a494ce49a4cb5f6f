"""All layer functions, by kind."""

from __future__ import annotations

from tfgraft.plugins.reference.layers import (
    arrangement,
    attention,
    convolution,
    detection,
    indexing,
    linear,
    pointwise,
    pooling,
    quantization,
    reduction,
    sampling,
)
from tfgraft.plugins.reference.layers.base import LayerFunction

LAYERS: dict[str, LayerFunction] = {
    kind: function
    for family in (
        arrangement,
        attention,
        convolution,
        detection,
        indexing,
        linear,
        pointwise,
        pooling,
        quantization,
        reduction,
        sampling,
    )
    for kind, function in family.TABLE.items()
}
