"""Activations, softmax, biases and normalizations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase

_R = np.random.default_rng(2)


def _n(*shape: int, dtype: str = "float32") -> Any:
    return (_R.standard_normal(shape) * 3).astype(dtype)


_X, _W = _n(2, 5, 6, 4), _n(1, 1, 4, 4) / 6
_RAW = tf.raw_ops
_ONE = {
    "Relu": lambda v: _RAW.Relu(features=v),
    "Relu6": lambda v: _RAW.Relu6(features=v * 3),
    "Elu": lambda v: _RAW.Elu(features=v),
    "Selu": lambda v: _RAW.Selu(features=v),
    "LeakyRelu": lambda v: _RAW.LeakyRelu(features=v, alpha=0.3),
    "Softplus": lambda v: _RAW.Softplus(features=v),
    "Softsign": lambda v: _RAW.Softsign(features=v),
    "Softmax": lambda v: _RAW.Softmax(logits=v),
    "LogSoftmax": lambda v: _RAW.LogSoftmax(logits=v),
    "L2Loss": lambda v: _RAW.L2Loss(t=v),
}
_ONE["Relu6"] = lambda v: _RAW.Relu6(features=v)


def _held(op: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a graph in which the op's input comes from a convolution and its result goes to one."""

    def build(v: Any) -> Any:
        y = op(tf.nn.conv2d(v, _W, 1, "SAME"))
        return y if y.shape.rank == 0 else tf.nn.conv2d(y, _W, 1, "SAME")

    return build


def _unary(op: str, build: Callable[[Any], Any]) -> list[OpCase]:
    cases = [
        OpCase("held", op, _held(build), [_X], dynamic=((None, None, None, 4),)),
        OpCase("rank-unknown", op, build, [_n(3, 4)], unknown_rank=True),
        OpCase("vector", op, build, [_n(7)], dynamic=True),
        OpCase("empty", op, build, [_n(0, 3)], dynamic=True),
        OpCase("large", op, build, [np.array([-1e4, -80, -20, 0, 5.5, 30, 90, 1e4], "float32")]),
        OpCase("double", op, build, [_n(2, 3, dtype="float64")], rtol=1e-12, atol=1e-12),
        OpCase("half", op, build, [_n(2, 3, dtype="float16")], rtol=4e-3, atol=4e-3),
        OpCase("half-large", op, build, [np.array([-1e3, -80, 0, 5.5, 90, 1e3], "float16")], rtol=4e-3, atol=4e-3),
    ]
    return [c for c in cases if not (op == "L2Loss" and c.id in ("half", "half-large", "held"))]


_B, _WEIGHTS = _n(4), _n(80)
_S, _O, _M, _V = np.abs(_n(4)) + 0.5, _n(4), _n(4), np.abs(_n(4)) + 0.5


def _norm(version: str, training: bool = False, **attrs: Any) -> Callable[..., Any]:
    def build(x: Any, *given: Any) -> Any:
        scale, offset, mean, var = given or (_S, _O, _M, _V)
        op = getattr(_RAW, "FusedBatchNorm" + version)
        return op(x=x, scale=scale, offset=offset, mean=mean, variance=var, is_training=training, **attrs).y

    return build


_ODD = ((None, None, None, 4),)
_BIAS = {
    "BiasAdd": lambda v, b: _RAW.BiasAdd(value=v, bias=b),
    "BiasAddV1": lambda v, b: _RAW.BiasAddV1(value=v, bias=b),
}


def _first(v: Any, b: Any) -> Any:
    return _RAW.BiasAdd(value=v, bias=b, data_format="NCHW")


def _statistics(op: str) -> Any:
    """Read the statistics too; parameters that are constants would be folded by TensorFlow, which forgets them."""

    def build(v: Any, m: Any, s: Any) -> Any:
        result = getattr(_RAW, op)(x=v, scale=_S, offset=_O, mean=m, variance=s, is_training=False)
        return list(result)[:3]  # the rest is not set by every kernel of TensorFlow's

    return build


CASES = [
    *(case for op, build in _ONE.items() for case in _unary(op, build)),
    *(OpCase(t, "Relu", _ONE["Relu"], [_n(3, 4, dtype=t)]) for t in ("int8", "int32", "int64")),
    OpCase("int16", "Relu", _ONE["Relu"], [_n(3, 4, dtype="int16")], refusal="dtype"),
    *(
        OpCase(t, "Relu6", _ONE["Relu6"], [np.arange(12, dtype=t)])
        for t in ("int8", "uint8", "int32", "int64", "uint32")
    ),
    OpCase("half", "L2Loss", _ONE["L2Loss"], [_n(3, dtype="float16")], refusal="dtype"),
    OpCase("held-conv", "L2Loss", lambda v: _ONE["L2Loss"](tf.nn.conv2d(v, _W, 1, "SAME")), [_X]),
    OpCase("scalar", "L2Loss", _ONE["L2Loss"], [np.float32(3)]),
    *(OpCase(f"held-{i}", op, _held(partial(b, b=_B)), [_X], dynamic=_ODD) for i, (op, b) in enumerate(_BIAS.items())),
    OpCase("int", "BiasAdd", lambda v: _BIAS["BiasAdd"](v, np.arange(3, dtype="int32")), [np.ones((2, 3), "int32")]),
    OpCase("matrix", "BiasAdd", lambda v: _BIAS["BiasAdd"](v, _B), [_n(3, 4)], dynamic=True),
    OpCase("volume", "BiasAdd", lambda v: _BIAS["BiasAdd"](v, _WEIGHTS), [_n(1, 2, 1, 3, 80)], dynamic=True),
    OpCase("rank-unknown", "BiasAdd", lambda v: _BIAS["BiasAdd"](v, _B), [_n(3, 4)], unknown_rank=True),
    OpCase(
        "fed",
        "BiasAdd",
        lambda v, b: _BIAS["BiasAdd"](tf.nn.conv2d(v, _W, 1, "SAME"), b),
        [_X, _B],
        dynamic=(*_ODD, (4,)),
    ),
    OpCase("first", "BiasAdd", lambda v: _first(v, _B), [_n(2, 4, 3, 5)], dynamic=True),
    OpCase("first-cube", "BiasAdd", lambda v: _first(v, _B), [_n(2, 4, 3)], dynamic=True),
    OpCase("first-weights", "BiasAdd", lambda v: _first(v, _WEIGHTS), [_n(2, 80, 2, 1)]),
    OpCase("first-fed", "BiasAdd", _first, [_n(2, 4, 3, 1), _B], dynamic=True),
    OpCase(
        "first-rank-unknown",
        "BiasAdd",
        lambda v: _first(v, _B),
        [_n(2, 4, 3, 5)],
        unknown_rank=True,
        refusal="unknown-rank",
    ),
    *(
        OpCase("held", f"FusedBatchNorm{v}", _held(_norm(v, epsilon=0.01)), [_X], dynamic=_ODD, atol=1e-5)
        for v in ("", "V2", "V3")
    ),
    OpCase("plain", "FusedBatchNormV3", _norm("V3"), [_X], dynamic=True, atol=1e-5),
    OpCase("fed", "FusedBatchNormV3", _norm("V3"), [_X, _S, _O, _M, _V], dynamic=True, atol=1e-5),
    OpCase("empty", "FusedBatchNormV3", _norm("V3"), [_n(0, 2, 3, 4)], dynamic=True),
    OpCase("half", "FusedBatchNormV3", _norm("V3"), [_X.astype("float16")], rtol=4e-3, atol=8e-3),
    OpCase("volume", "FusedBatchNormV3", _norm("V3", data_format="NDHWC"), [_n(1, 2, 3, 2, 4)], atol=1e-5),
    *(
        OpCase(
            "statistics",
            op,
            _statistics(op),
            [_X, _M, _V],
            atol=1e-5,
        )
        for op in ("FusedBatchNorm", "FusedBatchNormV3")
    ),
    OpCase("training", "FusedBatchNormV3", _norm("V3", training=True), [_X], refusal="attribute"),
    OpCase("any-rank", "L2Loss", _ONE["L2Loss"], [_n(2, 2)], unknown_rank=True),
    OpCase(
        "held",
        "LRN",
        _held(lambda v: _RAW.LRN(input=v, depth_radius=1, bias=0.7, alpha=0.2, beta=0.4)),
        [_X],
        dynamic=_ODD,
    ),
    OpCase("wide", "LRN", lambda v: _RAW.LRN(input=v), [_X]),
]
