"""Activations."""

from __future__ import annotations

import math

from tfgraft.converters.onnx.carrier import carried
from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.layout import elementwise
from tfgraft.graph.dtypes import FLOATS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_FLOAT = OpSpec(dtypes=FLOATS)
_RELU = OpSpec(dtypes=FLOATS | {"int8", "int32", "int64"})
_CLIP = OpSpec(dtypes=FLOATS | {"int8", "uint8", "int32", "int64", "uint32", "uint64"})
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
FUSED = ("Relu", "Relu6", "Elu", "LeakyRelu", "Tanh", "Sigmoid", "GeluExact", "GeluApproximate")
"""Names of activations in the attribute `fused_ops` of Grappler's fused ops."""


def activation(ctx: OnnxContext, name: str, value: str, dtype: str, alpha: float = 0.2) -> str:
    """Emit an activation given by its name (one of `FUSED`, Selu, Softplus, Softsign) and return the result.

    Args:
        dtype: TensorFlow's name of the value's type.
        alpha: the slope of LeakyRelu.
    """
    result: str
    if name == "Relu6":
        result = ctx.node("Clip", [value, ctx.const(0, dtype), ctx.const(6, dtype)])
    elif name == "LeakyRelu":
        result = ctx.node("LeakyRelu", [value], alpha=alpha)
    elif name == "GeluExact":
        erf = ctx.node("Erf", [ctx.node("Div", [value, ctx.const(math.sqrt(2), dtype)])])
        half = ctx.node("Mul", [value, ctx.const(0.5, dtype)])
        result = ctx.node("Mul", [half, ctx.node("Add", [erf, ctx.const(1, dtype)])])
    elif name == "GeluApproximate":
        cube = ctx.node("Mul", [ctx.node("Mul", [value, value]), value])
        inner = ctx.node("Add", [value, ctx.node("Mul", [cube, ctx.const(0.044715, dtype)])])
        tanh = ctx.node("Tanh", [ctx.node("Mul", [inner, ctx.const(math.sqrt(2 / math.pi), dtype)])])
        half = ctx.node("Mul", [value, ctx.const(0.5, dtype)])
        result = ctx.node("Mul", [half, ctx.node("Add", [tanh, ctx.const(1, dtype)])])
    elif name == "Selu" and dtype == "float64":
        # The attributes are float32: with them the constants would lose half of their digits.
        grown = ctx.node("Mul", [ctx.node("Elu", [value]), ctx.const(_SELU_ALPHA, dtype)])
        positive = ctx.node("Greater", [value, ctx.const(0, dtype)])
        result = ctx.node("Mul", [ctx.node("Where", [positive, value, grown]), ctx.const(_SELU_SCALE, dtype)])
    elif name == "Softplus":
        # ONNX Runtime's own kernel for float16 overflows from 89 on.
        result = carried(ctx, dtype, FLOATS - {"float16"}, [value], lambda values: ctx.node("Softplus", values))
    else:
        result = ctx.node(name, [value])
    return result


@converter("Relu", engine="onnx", spec=_RELU)
@elementwise
def relu(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Relu -> Relu."""
    return activation(ctx, "Relu", inputs[0], view.dtype())


@converter("Relu6", engine="onnx", spec=_CLIP)
@elementwise
def relu6(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Relu6 -> Clip."""
    return activation(ctx, "Relu6", inputs[0], view.dtype())


@converter("LeakyRelu", engine="onnx", spec=_FLOAT)
@elementwise
def leaky_relu(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF LeakyRelu -> LeakyRelu."""
    return activation(ctx, "LeakyRelu", inputs[0], view.dtype(), float(view.attr("alpha", 0.2)))


@converter("Elu", "Selu", "Softplus", "Softsign", engine="onnx", spec=_FLOAT)
@elementwise
def same_name(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Elu, Selu, Softplus, Softsign -> the ONNX op of the same name, whose defaults are TensorFlow's numbers."""
    return activation(ctx, view.op, inputs[0], view.dtype())


CONVERTERS = (relu, relu6, leaky_relu, same_name)
