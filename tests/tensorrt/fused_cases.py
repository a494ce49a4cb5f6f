"""Cases of the fused ops that Grappler's remapper makes. TensorFlow's CPU kernels lack many: the truth is unfused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases import fused_cases
from tests.cases.case import OpCase
from tests.cases.fused_cases import node

_R = np.random.default_rng(35)
_BRAIN = tf.bfloat16.as_numpy_dtype
_EPSILON = 0.01
_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "Relu": tf.nn.relu,
    "Relu6": tf.nn.relu6,
    "Elu": tf.nn.elu,
    "Tanh": tf.nn.tanh,
    "Sigmoid": tf.nn.sigmoid,
    "GeluExact": lambda x: tf.nn.gelu(x, approximate=False),
    "GeluApproximate": lambda x: tf.nn.gelu(x, approximate=True),
}


def _n(*shape: int) -> Any:
    return _R.standard_normal(shape).astype("float32")


_X, _X3, _ROWS = _n(2, 6, 5, 4), _n(1, 4, 3, 5, 4), _n(3, 4)
_KERNELS: dict[str, Any] = {
    "_FusedConv2D": _n(3, 3, 4, 8),
    "_FusedConv3D": _n(2, 3, 3, 4, 8),
    "_FusedDepthwiseConv2dNative": _n(3, 3, 4, 2),
    "_FusedMatMul": _n(4, 8),
}
_NORM = [np.abs(_n(8)) + 0.5, _n(8), _n(8), np.abs(_n(8)) + 0.5]
_ARGUMENTS = {"BiasAdd": [_n(8)], "FusedBatchNorm": _NORM}
_IMAGES = _n(2, 3, 3, 8)
_SIDES: dict[str, Any] = {
    "_FusedConv2D": _IMAGES,
    "_FusedConv3D": _n(1, 2, 2, 3, 8),
    "_FusedDepthwiseConv2dNative": _IMAGES,
    "_FusedMatMul": _n(3, 8),
}
"""What is added: of the shapes of the results."""


def _plain(op: str, x: Any, k: Any) -> Any:
    """Compute what is fused with the rest."""
    if op == "_FusedMatMul":
        return x @ k
    if op == "_FusedConv3D":
        return tf.nn.conv3d(x, k, [1, 2, 2, 2, 1], "SAME")
    function = tf.nn.conv2d if op == "_FusedConv2D" else tf.nn.depthwise_conv2d
    return function(x, k, [1, 2, 2, 1], "SAME")


def _truth(op: str, ops: Sequence[str], alpha: float) -> Callable[..., Any]:
    def build(x: Any, *given: Any) -> Any:
        """Compute in float32."""
        dtype = x.dtype
        x, k, *rest = (tf.cast(v, tf.float32) for v in (x, *given))
        y = _plain(op, x, k)
        for name in ops:
            if name == "BiasAdd":
                y = y + rest.pop(0)
            elif name == "FusedBatchNorm":
                scale, offset, mean, variance = (rest.pop(0) for _ in range(4))
                y = tf.nn.batch_normalization(y, mean, variance, offset, scale, _EPSILON)
            elif name == "Add":
                y = y + rest.pop(0)
            else:
                y = tf.nn.leaky_relu(y, alpha) if name == "LeakyRelu" else _ACTIVATIONS[name](y)
        return tf.cast(y, dtype)

    return build


def _fused(
    op: str, *ops: str, dtype: Any = "float32", fed: bool = False, id: str = "", alpha: float = 0.2, **more: Any
) -> OpCase:
    """Make a case of a chain of fused ops.

    Args:
        fed: whether kernel and arguments are fed, not constants.
    """
    x = {"_FusedConv3D": _X3, "_FusedMatMul": _ROWS}.get(op, _X)
    arguments = _ARGUMENTS.get(ops[0], [])
    constants = [v.astype(dtype) for v in (more.pop("kernel", _KERNELS[op]), *arguments)]
    attrs: dict[str, Any] = {"fused_ops": [o.encode() for o in ops], "epsilon": _EPSILON, "leakyrelu_alpha": alpha}
    if op != "_FusedMatMul":
        attrs |= {"strides": [1, *[2] * (x.ndim - 2), 1], "padding": b"SAME"}
    attrs |= more.pop("attrs", {})

    def both(make: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, *feeds: make(x, *feeds) if fed else make(x, *constants, *feeds)

    def build(x: Any, *inputs: Any) -> Any:
        typed = {"TArgs": [x.dtype] * (len(inputs) - 1)} if op == "_FusedConv2D" else {}
        return node(op, [x, *inputs], num_args=len(inputs) - 1, **attrs, **typed)

    side = [_SIDES[op].astype(dtype)] * ops.count("Add")
    feeds = [x.astype(dtype), *(constants if fed else ()), *side]
    label = "-".join((*ops, np.dtype(dtype).name, *(["fed"] if fed else []), *([id] if id else [])))
    truth = None if "refusal" in more else both(_truth(op, ops, alpha))
    return OpCase(label, op, both(build), feeds, truth=truth, **({"atol": 1e-5} | more))


def _norm_ex(id: str, x: Any, side: bool, mode: str, **more: Any) -> OpCase:
    scale, offset, mean, variance = (p[:4] for p in _NORM)

    def build(v: Any) -> Any:
        inputs = [v, scale, offset, mean, variance, *([v * 2] if side else [])]
        attrs = {"activation_mode": mode.encode(), "num_side_inputs": int(side)}
        return node("_FusedBatchNormEx", inputs, is_training=False, epsilon=_EPSILON, U=tf.float32, **attrs)

    def truth(v: Any) -> Any:
        y = tf.nn.batch_normalization(tf.cast(v, tf.float32), mean, variance, offset, scale, _EPSILON)
        y = tf.cast(y, v.dtype) + v * 2 if side else tf.cast(y, v.dtype)
        return tf.nn.relu(y) if mode == "Relu" else y

    return OpCase(f"{id}-{x.dtype}", "_FusedBatchNormEx", build, [x], truth=truth, **({"atol": 1e-5} | more))


_LOOSE: dict[str, Any] = {"rtol": 2e-2, "atol": 5e-2}
_FIRST = {"filter_format": b"OIHW"}
_TYPES = ("float16", _BRAIN)


def _types(op: str) -> tuple[Any, ...]:
    return _TYPES[:1] if op == "_FusedConv2D" else _TYPES  # TensorFlow has it in float16 alone


CASES: list[OpCase] = [
    *(
        c
        for c in fused_cases.CASES
        if c.id not in ("other-op", "channels-unknown") and "Add-" not in c.id and not c.id.endswith("Add")
    ),
    *(
        case
        for op in _KERNELS
        for case in (
            _fused(op, "BiasAdd"),
            *(_fused(op, "BiasAdd", a) for a in _ACTIVATIONS if op in ("_FusedConv2D", "_FusedMatMul")),
            _fused(op, "BiasAdd", "LeakyRelu"),
            _fused(op, "BiasAdd", "LeakyRelu", alpha=1.5, id="steep"),
            *([_fused(op, "Relu")] if op != "_FusedConv2D" else []),
            _fused(op, "BiasAdd", "Add"),
            _fused(op, "BiasAdd", "Add", "Relu"),
            _fused(op, "BiasAdd", "Relu", fed=True),
            *(_fused(op, "BiasAdd", "Relu", dtype=t, **_LOOSE) for t in _types(op)),
            *(_fused(op, "BiasAdd", "Relu", dtype=t, fed=True, **_LOOSE) for t in _types(op)),
            _fused(op, "BiasAdd", "Swish", refusal="attribute"),
            _fused(op, "BiasAdd", "BiasAdd", refusal="attribute"),
        )
    ),
    *(
        case
        for op in list(_KERNELS)[:3]
        for case in (
            _fused(op, "FusedBatchNorm"),
            _fused(op, "FusedBatchNorm", "Relu6", dynamic=True),
            _fused(op, "FusedBatchNorm", "Add", "Relu"),
            _fused(op, "FusedBatchNorm", fed=True),
            *(_fused(op, "FusedBatchNorm", "Relu", dtype=t, **_LOOSE) for t in _types(op)),
            _fused(op, "BiasAdd", fed=True, dynamic=True, refusal="unknown-dim"),
            _fused(op, "BiasAdd", kernel=_KERNELS[op][:0], id="no-rows", refusal="engine-rejected"),
        )
    ),
    _fused("_FusedMatMul", "FusedBatchNorm", refusal="attribute"),
    _fused("_FusedConv2D", "BiasAdd", dtype="float64", refusal="dtype"),
    _fused("_FusedConv2D", "BiasAdd", kernel=_n(8, 4, 3, 3), attrs=_FIRST, id="kernel-first", refusal="attribute"),
    *(
        _norm_ex(f"{mode}-{side}", _X.astype(t), side, mode)
        for t in ("float32", *_TYPES)
        for side, mode in ((False, "Identity"), (False, "Relu"), (True, "Relu"))
    ),
    _norm_ex("dynamic", _X, True, "Relu", dynamic=True),
]
