"""TensorFlow.js' fused ops as the plain TensorFlow ops they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

BASES = {
    "_FusedConv2D": "Conv2D",
    "_FusedMatMul": "MatMul",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "_FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
}
CONVOLUTION_ATTRS = ("T", "strides", "padding", "data_format", "dilations", "explicit_paddings")
KEPT_ATTRS = {
    "Conv2D": (*CONVOLUTION_ATTRS, "use_cudnn_on_gpu"),
    "DepthwiseConv2dNative": CONVOLUTION_ATTRS,
    "MatMul": ("T", "transpose_a", "transpose_b"),
}
PLAIN_STEPS = ("Relu", "Relu6", "Elu", "Sigmoid", "Tanh", "LeakyRelu")


def unfuse(nodes: Iterable[Any]) -> list[Any]:
    """Return the NodeDefs with every fused convolution, MatMul and Prelu replaced.

    The last of the nodes that replace one keeps its name, so that its readers stay as they are.

    Raises:
        ValueError: a fused op has a step that is not known here.
    """
    separate = [part for node in nodes for part in (_split(node) if node.op in BASES else [node])]
    return [part for node in separate for part in (_expand_prelu(node) if node.op == "Prelu" else [node])]


def _node(name: str, op: str, inputs: Iterable[str], dtype: int) -> Any:
    node = tf.compat.v1.NodeDef(name=name, op=op, input=list(inputs))
    node.attr["T"].type = dtype
    return node


def _split(fused: Any) -> list[Any]:
    """One node for the convolution or product, then one for each fused step."""
    op = BASES[fused.op]
    dtype = fused.attr["T"].type
    control = [text for text in fused.input if text.startswith("^")]
    arguments = [text for text in fused.input if not text.startswith("^")]
    extra = iter(arguments[2:])
    chain = [_node(fused.name, op, [*arguments[:2], *control], dtype)]
    for key in KEPT_ATTRS[op]:
        if key in fused.attr:
            chain[0].attr[key].CopyFrom(fused.attr[key])
    for step in (text.decode() for text in fused.attr["fused_ops"].list.s):
        previous = chain[-1]
        previous.name = f"{fused.name}/_{previous.op}"
        if step in ("BiasAdd", "Prelu"):
            node = _node(fused.name, step, [previous.name, next(extra)], dtype)
        elif step in PLAIN_STEPS:
            node = _node(fused.name, step, [previous.name], dtype)
        else:
            raise ValueError(f"{fused.op} {fused.name!r} has the fused step {step!r}, which has no plain form here")
        if step == "LeakyRelu":
            node.attr["alpha"].f = fused.attr["leakyrelu_alpha"].f
        chain.append(node)
    return chain


def _expand_prelu(node: Any) -> list[Any]:
    """Prelu(x, a) = relu(x) + a * -relu(-x)."""
    dtype = node.attr["T"].type or tf.float32.as_datatype_enum
    x, slope = node.input[:2]
    name = node.name
    return [
        _node(f"{name}/_positive", "Relu", [x], dtype),
        _node(f"{name}/_flipped", "Neg", [x], dtype),
        _node(f"{name}/_flipped_relu", "Relu", [f"{name}/_flipped"], dtype),
        _node(f"{name}/_negative", "Neg", [f"{name}/_flipped_relu"], dtype),
        _node(f"{name}/_scaled", "Mul", [slope, f"{name}/_negative"], dtype),
        _node(name, "AddV2", [f"{name}/_positive", f"{name}/_scaled"], dtype),
    ]
