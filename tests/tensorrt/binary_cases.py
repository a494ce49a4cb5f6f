"""Cases of elementwise arithmetic."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.math_cases import CASES as MATH
from tests.cases.raw import DYNAMIC, K, both, held, raw, refused
from tests.tensorrt.reuse import taken
from tfgraft.converters.tensorrt.context import ALL, SMALL

_R = np.random.default_rng(3)
_BF16 = tf.bfloat16.as_numpy_dtype
_SAME = ("Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum", "SquaredDifference")
_FLOAT = ("Pow", "MulNoNan", "Xdivy", "Xlogy", "Xlog1py", "Atan2")
_UNKNOWN = refused("unknown-rank", unknown_rank=True)


def _real(shape: tuple[int, ...], dtype: Any = "f") -> Any:
    return _R.uniform(0.5, 3, shape).astype(dtype)


def _broadcasting() -> list[OpCase]:
    cases = []
    for op in (*_SAME, *_FLOAT):
        cases += [raw(op, _real((2, 1, 3)), _real((4, 1)), case=DYNAMIC), raw(op, _real(()), _real(()))]
        cases += [raw(op, _real((0, 3)), _real((3,)), case=DYNAMIC), raw(op, _real((1, 1)), _real((2, 3)))]
        cases += [raw(op, _real((2, 3)), K(np.float32(1.5)), case=DYNAMIC)]
        cases += [raw(op, _real((2, 3), _BF16), _real((3,), _BF16))] if op != "Xlog1py" else []
        cases += [raw(op, _real((2, 3), "float16"), _real((3,), "float16"))]
        cases += [raw(op, _real((3,), "float64"), _real((3,), "float64"), case=refused("dtype"))]
        cases += [raw(op, _real((3,)), _real((3,)), case=_UNKNOWN)]
    for op in _SAME:
        for t in ("int32", "int64"):
            x, y = _R.integers(-99, 99, (2, 3)).astype(t), _R.integers(-99, 99, (3,)).astype(t)
            cases += [raw(op, x, y), raw(op, x[0, 0], K(np.array(7, t)), case=DYNAMIC)]
    for op in ("Maximum", "Minimum"):
        cases += [raw(op, np.array([-128, 3, 127], "int8"), np.array([-1, 4, -128], "int8"))]
        cases += [raw(op, np.array([0, 3, 255], "uint8"), K(np.array(4, "uint8")), case=DYNAMIC)]
    return cases


def _add_to_channels(bias: Any, x: Any) -> Any:
    return x + bias.reshape([-1 if d == 1 else 1 for d in range(x.shape.rank)])


def _bias() -> list[OpCase]:
    r = tf.raw_ops
    cases = []
    for shape in ((2, 3), (2, 4, 3), (2, 4, 5, 3), (1, 2, 2, 2, 3), (0, 3)):
        cases += [raw("BiasAdd", _real(shape), _real((3,))), raw("BiasAdd", _real(shape), _real((3,)), case=DYNAMIC)]
    for shape in ((2, 3, 4, 5), (2, 3, 2, 2, 2), (1, 3, 0, 2)):
        # TensorFlow has no CPU kernel for NCHW.
        truth = functools.partial(_add_to_channels, np.array([0.5, -1, 2], "f"))
        bias = K(np.array([0.5, -1, 2], "f"))
        for more in ({}, DYNAMIC):
            cases += [raw("BiasAdd", _real(shape), bias, data_format="NCHW", case={"truth": truth, **more})]
    cases += [raw("BiasAdd", _real((2, 3), t), _real((3,), t)) for t in ("float16", _BF16)]
    cases += [raw("BiasAdd", np.array([[1, 2]], "int32"), np.array([3, -4], "int32"))]
    cases += [raw("BiasAddV1", _real((2, 3)), _real((3,)))]
    cases += both("BiasAdd", lambda x: tf.nn.bias_add(x, [1.0, 2, 3, 4]))
    cases += both("BiasAdd", lambda x: r.BiasAdd(value=x, bias=tf.reduce_max(x, (0, 1, 2))), "computed")
    cases += [raw("BiasAdd", _real((2, 3), "float64"), _real((3,), "float64"), case=refused("dtype"))]
    cases += [raw("BiasAdd", _real((2, 3)), _real((3,)), case=_UNKNOWN)]
    return cases


_WILD = np.array([0.0, -0.0, 1.5, -1.5, 1e-3, -40, np.inf, -np.inf, np.nan], "f")
_X = _real((2, 3))


CASES: list[OpCase] = [
    *taken(MATH, (*_SAME, *_FLOAT, "AddN", "ClipByValue"), ALL),
    *taken(MATH, ("ClipByValue", "Maximum", "Minimum"), SMALL),
    *_broadcasting(),
    *_bias(),
    raw("Atan2", _WILD[:, None], _WILD, id="wild"),
    raw("Xlog1py", np.array([0, 2], "f"), np.array([np.inf, 1e-7], "f"), case={"atol": 0.0}),
    raw("Pow", np.array([-2, -0.0, 3, np.inf, np.nan], "f"), K(np.float32(2)), id="square", case=DYNAMIC),
    raw("Pow", np.array([2], "int32"), np.array([2], "int32"), case=refused("dtype")),
    raw("AddN", [_X, _X], case=DYNAMIC),
    raw("AddN", [_X.astype(_BF16)] * 3),
    raw("AddN", [np.array([1], "int64")] * 2),
    raw("AddN", [_real((0, 2))] * 2),
    raw("AddN", [_real(())] * 2),
    raw("AddN", [_X, _X], case=refused("unknown-rank", unknown_rank=True)),
    raw("AddN", [_X.astype("float64")] * 2, case=refused("dtype")),
    raw("ClipByValue", _X, np.float32(1), np.float32(2)),
    raw("ClipByValue", _X, K(np.float32(2)), K(np.float32(1)), id="crossed"),
    raw("ClipByValue", _X, K(np.float32(1)), K(np.float32(np.inf)), id="open", case=DYNAMIC),
    raw("ClipByValue", _X.astype("float16"), K(np.float16(1)), K(np.float16(2)), case=DYNAMIC),
    raw("ClipByValue", _X[:0], K(np.float32(1)), K(np.float32(2)), case=DYNAMIC),
    raw("ClipByValue", np.float32(5), K(np.float32(1)), K(np.float32(2))),
    raw("ClipByValue", _X.astype("float64"), K(np.float64(1)), K(np.float64(2)), case=refused("dtype")),
    raw("ClipByValue", _X, np.float32(1), np.float32(2), case=refused("unknown-rank", unknown_rank=True)),
    held("Atan2", lambda x: tf.atan2(x, tf.constant([1.0, -1, 0, 2]))),
    *both("Relu6", lambda x: x * tf.nn.relu6(x + 3.0) / 6.0, "hard-swish"),
]
