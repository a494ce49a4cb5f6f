"""The fused ops that Grappler's remapper makes; they have no Python functions, so their nodes are made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2

from tests.cases.case import OpCase

_R = np.random.default_rng(8)


def _n(*shape: int, dtype: str = "float32") -> Any:
    return _R.standard_normal(shape).astype(dtype)


def _attr(value: Any) -> Any:
    proto = attr_value_pb2.AttrValue()
    if isinstance(value, list):
        for item in value:
            if isinstance(item, tf.DType):
                proto.list.type.append(item.as_datatype_enum)
            else:
                (proto.list.s if isinstance(item, bytes) else proto.list.i).append(item)
        if not value:
            proto.list.SetInParent()
    elif isinstance(value, bool):
        proto.b = value
    elif isinstance(value, int):
        proto.i = value
    elif isinstance(value, float):
        proto.f = value
    elif isinstance(value, tf.DType):
        proto.type = value.as_datatype_enum
    else:
        proto.s = value
    return proto


def node(op: str, inputs: list[Any], **attrs: Any) -> Any:
    """Add a node to the current graph and return its first output; `T` is the type of the first input."""
    tensors = [tf.convert_to_tensor(v) for v in inputs]
    definition = tf.compat.v1.GraphDef()
    node = definition.node.add(name="fused", op=op)
    for i, tensor in enumerate(tensors):
        placeholder = definition.node.add(name=f"in{i}", op="Placeholder")
        placeholder.attr["dtype"].type = tensor.dtype.as_datatype_enum
        node.input.append(f"in{i}")
    for key, value in (attrs | {"T": tensors[0].dtype}).items():
        node.attr[key].CopyFrom(_attr(value))
    mapping = {f"in{i}": t for i, t in enumerate(tensors)}
    return tf.graph_util.import_graph_def(definition, mapping, ["fused:0"], name="")[0]


_X = _n(2, 6, 5, 4)
_ODD = ((None, None, None, 4),)
_B = _n(8)
_KD = _n(3, 3, 4, 2)
_BN = [np.abs(_n(8)) + 0.5, _n(8), _n(8), np.abs(_n(8)) + 0.5]
_S4, _O4, _M4, _V4 = (b[:4] for b in _BN)


def _conv(ops: list[bytes], arguments: list[Any], k: Any = None, op: str = "_FusedConv2D", **more: Any) -> Any:
    kernel = _n(3, 3, 4, 8) if k is None else k
    attrs: dict[str, Any] = {
        "strides": [1, 2, 2, 1],
        "padding": b"SAME",
        "data_format": b"NHWC",
        "dilations": [1, 1, 1, 1],
        "fused_ops": ops,
        "num_args": len(arguments),
    } | more
    if op == "_FusedConv2D":
        attrs["TArgs"] = [tf.float32] * len(arguments)
    return lambda v: node(op, [v, kernel, *arguments], **attrs)


def _norm_ex(**more: Any) -> Any:
    """Make a batch norm that adds twice its input, then Relu."""
    attrs: dict[str, Any] = {"activation_mode": b"Relu", "is_training": False, "epsilon": 0.01, "num_side_inputs": 1}
    inputs = (_S4, _O4, _M4, _V4)
    return lambda v: node("_FusedBatchNormEx", [v, *inputs, v * 2], **(attrs | {"U": tf.float32} | more))


def _matmul(ops: list[bytes], x: Any, w: Any, **more: Any) -> OpCase:
    case = "-".join([*(o.decode() for o in ops), *more])
    dynamic = more.pop("dynamic", False)
    refusal = more.pop("refusal", None)
    bias = _n(5)
    return OpCase(
        case,
        "_FusedMatMul",
        lambda v: node("_FusedMatMul", [v, w, bias], fused_ops=ops, num_args=1, **more),
        [x],
        dynamic=dynamic,
        refusal=refusal,
        atol=1e-5,
    )


_ACTIVATIONS = (b"Relu", b"Relu6", b"Elu")

CASES = [
    OpCase("bias", "_FusedConv2D", _conv([b"BiasAdd"], [_B]), [_X], dynamic=_ODD, atol=1e-5),
    *(
        OpCase(f"bias-{a.decode()}", "_FusedConv2D", _conv([b"BiasAdd", a], [_B]), [_X], dynamic=_ODD, atol=1e-5)
        for a in _ACTIVATIONS
    ),
    OpCase(
        "bias-LeakyRelu",
        "_FusedConv2D",
        _conv([b"BiasAdd", b"LeakyRelu"], [_B], leakyrelu_alpha=0.3),
        [_X],
        atol=1e-5,
    ),
    OpCase(
        "bias-valid", "_FusedConv2D", _conv([b"BiasAdd"], [_B], padding=b"VALID", strides=[1, 1, 1, 1]), [_X], atol=1e-5
    ),
    OpCase("norm", "_FusedConv2D", _conv([b"FusedBatchNorm"], _BN, epsilon=0.01), [_X], atol=1e-5),
    *(
        OpCase(f"norm-{a.decode()}", "_FusedConv2D", _conv([b"FusedBatchNorm", a], _BN, epsilon=0.01), [_X], atol=1e-5)
        for a in _ACTIVATIONS
    ),
    OpCase("other-op", "_FusedConv2D", _conv([b"BiasAdd", b"Add"], [_B, _B]), [_X], refusal="attribute"),
    OpCase("channels-unknown", "_FusedConv2D", _conv([b"BiasAdd"], [_B]), [_X], dynamic=True),
    OpCase(
        "chain",
        "_FusedConv2D",
        lambda v: tf.nn.relu(_conv([b"BiasAdd", b"Relu"], [_n(4)], _n(3, 3, 4, 4))(tf.nn.relu(v))),
        [_X],
        atol=1e-5,
    ),
    OpCase(
        "depthwise",
        "_FusedDepthwiseConv2dNative",
        _conv([b"BiasAdd", b"Relu"], [_B], _KD, "_FusedDepthwiseConv2dNative"),
        [_X],
        truth=lambda v: tf.nn.relu(tf.nn.depthwise_conv2d(v, _KD, [1, 2, 2, 1], "SAME") + _B),
        atol=1e-5,
    ),
    OpCase(
        "norm",
        "_FusedBatchNormEx",
        _norm_ex(),
        [_X],
        truth=lambda v: tf.nn.relu(tf.nn.batch_normalization(v, _M4, _V4, _O4, _S4, 0.01) + v * 2),
        atol=1e-5,
    ),
    *(
        _matmul(ops, _n(3, 4), _n(4, 5), dynamic=True)
        for ops in ([b"BiasAdd"], *([b"BiasAdd", a] for a in (*_ACTIVATIONS, b"Tanh", b"Sigmoid")))
    ),
    _matmul([b"BiasAdd"], _n(4, 3), _n(4, 5), transpose_a=True),
    _matmul([b"BiasAdd", b"Relu"], _n(3, 4), _n(5, 4), transpose_b=True),
    _matmul([b"BiasAdd", b"Relu"], _n(3, 4), _n(30, 4)[:5], transpose_b=True, dynamic=True),
    _matmul([b"BiasAdd", b"Add"], _n(3, 4), _n(4, 5), refusal="attribute"),
    OpCase(
        "other-op",
        "_FusedDepthwiseConv2dNative",
        _conv([b"FusedBatchNorm"], [_B], _KD, "_FusedDepthwiseConv2dNative"),
        [_X],
        refusal="attribute",
    ),
    OpCase("other-activation", "_FusedBatchNormEx", _norm_ex(activation_mode=b"Elu"), [_X], refusal="attribute"),
    OpCase("training", "_FusedBatchNormEx", _norm_ex(is_training=True), [_X], refusal="attribute"),
]
