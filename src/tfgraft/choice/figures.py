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
        kernel: microseconds more of a convolution or product, however small.
        convolution, depthwise, product: GFLOP/s (a multiplication and an addition are two) of convolutions, depthwise
            convolutions, and products of matrices.
        weights: GB/s at which products of few rows read their matrix.
        elements: GB/s of other ops, as if each read and wrote memory; more than memory has where ops are fused.
    """

    call: float
    tensor: float
    op: float
    kernel: float
    convolution: float
    depthwise: float
    product: float
    weights: float
    elements: float


FIGURES: dict[str, Figures] = {
    NATIVE: Figures(0, 0, 0.75, 9.48, 116, 9.85, 108, 46.5, 22.5),
    "onnxruntime": Figures(23.8, 3.37, 1.22, 3.04, 120, 26.9, 141, 60.6, 20.9),
    "openvino": Figures(165, 9.86, 0.525, 6.01, 145, 34.7, 144, 26.2, 30.5),
    "litert": Figures(10, 1.52, 0.155, 4.8, 106, 23.7, 143, 22.9, 20.8),
    "xla": Figures(25.5, 1.68, 0.0496, 9.27, 116, 0.22, 121, 46.7, 40.9),
}
"""By engine. Engines that are not here have figures of their own (see `HasFigures`), or nothing is estimated for them.

Measured by `python -m benchmarks.cost_model`, which says how, and prints this table: on two cores of an AMD EPYC
(AVX2), with other work beside, so that they are rough.
"""


def figures_of(builder: EngineBuilder, options: Mapping[str, Any]) -> Figures | None:
    """Return the figures of a builder's engines with these options; None where there are none."""
    if isinstance(builder, HasFigures):
        return builder.figures(options)
    return None if _ELSEWHERE in options else FIGURES.get(builder.name)
