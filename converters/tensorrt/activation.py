"""Activations."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.tensorrt.context import FLOATS, INTS, TensorRtContext
from tfgraft.converters.tensorrt.emit import activation, binary, like
from tfgraft.converters.tensorrt.layout import elementwise
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import Converter, OpSpec, converter

_FLOAT = OpSpec(dtypes=FLOATS, known_ranks=(0,))

_SAME: tuple[tuple[str, str, float | None, float | None], ...] = (
    ("Elu", "ELU", 1.0, None),
    ("Selu", "SELU", 1.6732632423543772, 1.0507009873554805),
    ("Sigmoid", "SIGMOID", None, None),
    ("Softplus", "SOFTPLUS", 1.0, 1.0),
    ("Softsign", "SOFTSIGN", None, None),
    ("Tanh", "TANH", None, None),
)
"""TF op, TensorRT's `ActivationType`, its alpha and beta."""


def _same(op: str, kind: str, alpha: float | None, beta: float | None) -> tuple[Converter, ...]:
    @converter(op, engine="tensorrt", spec=_FLOAT)
    @elementwise
    def convert(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
        return activation(ctx, kind, inputs[0], alpha, beta)

    return convert


@converter("Relu", engine="tensorrt", spec=OpSpec(dtypes=FLOATS | INTS, known_ranks=(0,)))
@elementwise
def relu(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Relu -> activation RELU, the one activation that takes int32; MAX for int64."""
    if view.dtype() == "int64":
        return binary(ctx, "MAX", inputs[0], like(ctx, inputs[0], 0))
    return activation(ctx, "RELU", inputs[0])


@converter("Relu6", engine="tensorrt", spec=_FLOAT)
@elementwise
def relu6(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Relu6 -> activation CLIP from 0 to 6."""
    return activation(ctx, "CLIP", inputs[0], 0.0, 6.0)


@converter("LeakyRelu", engine="tensorrt", spec=_FLOAT)
@elementwise
def leaky_relu(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF LeakyRelu -> activation LEAKY_RELU."""
    return activation(ctx, "LEAKY_RELU", inputs[0], float(view.attr("alpha", 0.2)))


CONVERTERS = (*(_same(*row) for row in _SAME), relu, relu6, leaky_relu)
