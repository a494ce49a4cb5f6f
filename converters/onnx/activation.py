"""Activations."""

from __future__ import annotations

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.layout import elementwise
from tfgraft.graph.dtypes import FLOATS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_FLOAT = OpSpec(dtypes=FLOATS)


@converter("Relu", engine="onnx", spec=_FLOAT)
@elementwise
def relu(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Relu -> Relu."""
    result: str = ctx.node("Relu", inputs)
    return result


@converter("LeakyRelu", engine="onnx", spec=_FLOAT)
@elementwise
def leaky_relu(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF LeakyRelu -> LeakyRelu."""
    result: str = ctx.node("LeakyRelu", inputs, alpha=float(view.attr("alpha", 0.2)))
    return result


CONVERTERS = (relu, leaky_relu)
