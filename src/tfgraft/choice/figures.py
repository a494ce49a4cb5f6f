"""What work costs in TensorFlow and in engines: the figures of the cost model, and where they are from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfgraft.choice.choice import NATIVE
from tfgraft.plugins.protocol import EngineBuilder, HasFigures

_ELSEWHERE = "providers"
"""The option by which engines run elsewhere than the figures are from."""


@dataclass(frozen=True)
class Figures:
    """What work costs in one engine, on a CPU, in float32.

    Args:
        call: microseconds that a call of the engine costs TensorFlow; 0 for TensorFlow itself.
        tensor: microseconds more for each tensor that goes in or out.
        op: microseconds of an op, whatever it computes.
        convolution, depthwise, product: GFLOP/s (a multiplication and an addition are two) of convolutions, depthwise
            convolutions, and products of matrices.
        weights: GB/s at which products of few rows read their matrix.
        elements: GB/s of other ops, as if each read and wrote memory; more than memory has where ops are fused.
    """

    call: float
    tensor: float
    op: float
    convolution: float
    depthwise: float
    product: float
    weights: float
    elements: float


FIGURES: dict[str, Figures] = {
    NATIVE: Figures(0, 0, 1.21, 109, 7.06, 97.5, 35, 10.8),
    "onnxruntime": Figures(24.9, 6.2, 1.77, 133, 15.3, 119, 27.7, 11.5),
    "openvino": Figures(120, 7.66, 1.92, 137, 22.1, 119, 13.6, 18.5),
    "litert": Figures(56, 3.09, 0.487, 130, 16.5, 119, 14, 15.7),
    "xla": Figures(60.4, 0, 0.172, 105, 0.285, 86.6, 38.5, 23.9),
}
"""By engine. Engines that are not here have figures of their own (see `HasFigures`), or nothing is estimated for them.

Measured by `python -m benchmarks.cost_model`, which says what of, and prints this table.
"""


def figures_of(builder: EngineBuilder, options: Mapping[str, Any]) -> Figures | None:
    """Return the figures of a builder's engines with these options; None where there are none."""
    if isinstance(builder, HasFigures):
        return builder.figures(options)
    return None if _ELSEWHERE in options else FIGURES.get(builder.name)
