"""Cases of pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases import nchw_cases, pool_cases
from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, K, raw, refused

_OPS = ("AvgPool", "AvgPool3D", "MaxPool", "MaxPool3D", "MaxPoolV2")
_TYPES = ("float32", "float16", "bfloat16", "int8", "uint8")
_R = np.random.default_rng(33)
_BRAIN = tf.bfloat16.as_numpy_dtype


def _n(*shape: int, dtype: Any = "float32") -> Any:
    return (_R.standard_normal(shape) * 4).astype(dtype)


_X, _X3 = _n(2, 7, 6, 3), _n(1, 5, 6, 4, 2)


def _taken(case: OpCase) -> bool:
    return bool(case.refusal) or str(np.asarray(case.inputs[0]).dtype) in _TYPES


def _pool(op: str, x: Any, k: int, s: int, padding: str = "SAME", **case: Any) -> OpCase:
    id = case.pop("id", "")
    rank = x.ndim - 2
    return raw(op, x, id=id, case=case, ksize=[1, *[k] * rank, 1], strides=[1, *[s] * rank, 1], padding=padding)


def _half(op: str) -> OpCase:
    """Make a case of float16 volumes, for which TensorFlow has no CPU kernel."""

    def build(x: Any) -> Any:
        return getattr(tf.raw_ops, op)(input=x, ksize=[1, 3, 3, 3, 1], strides=[1, 2, 2, 2, 1], padding="SAME")

    def truth(x: Any) -> Any:
        return tf.cast(build(tf.cast(x, tf.float32)), tf.float16)

    return OpCase("half", op, build, [_X3.astype("float16")], truth=truth)


CASES: list[OpCase] = [
    *(c for c in pool_cases.CASES if _taken(c)),
    *(c for c in nchw_cases.CASES if c.op in _OPS),
    *(
        case
        for op in ("AvgPool", "MaxPool")
        for case in (
            _pool(op, _X.astype("float16"), 3, 2, dynamic=True),
            _pool(op, _X.astype(_BRAIN), 3, 2),
            _pool(op, _n(1, 1, 1, 1), 3, 2),
            _pool(op, _n(2, 0, 6, 3), 3, 2),
            _pool(op, _n(2, 0, 6, 3), 3, 5),
            _pool(op, _n(2, 0, 6, 3), 3, 1),
            _pool(op, _n(2, 7, 6, 0), 2, 2, dynamic=True),
            _pool(op, _n(1, 2, 3, 1), 9, 1, dynamic=True),
            _pool(op, _X.astype("float64"), 2, 2, refusal="dtype", id="double"),
            raw(op, _X, id="batch", case=refused("attribute"), ksize=[2, 1, 1, 1], strides=[1] * 4, padding="VALID"),
        )
    ),
    *(
        case
        for op in ("AvgPool3D", "MaxPool3D")
        for case in (
            _half(op),
            _pool(op, _X3.astype(_BRAIN), 2, 2, dynamic=True),
            _pool(op, _n(0, 4, 4, 4, 2), 2, 2, dynamic=True),
            _pool(op, _X3, 2, 3, dynamic=True, refusal="unknown-dim"),
        )
    ),
    _pool("AvgPool3D", _X3.astype("float64"), 2, 2, refusal="dtype"),
    raw("MaxPoolV2", _X.astype("int8"), K([1, 2, 3, 1]), K([1, 1, 2, 1]), case=DYNAMIC, padding="SAME"),
    raw("MaxPoolV2", _X.astype("float16"), K([1, 2, 3, 1]), K([1, 1, 2, 1]), case=DYNAMIC, padding="VALID"),
]
