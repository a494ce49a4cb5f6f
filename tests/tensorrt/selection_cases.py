"""Cases of selection."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.math_cases import CASES as MATH
from tests.cases.raw import DYNAMIC, K, both, raw, refused
from tests.tensorrt.reuse import taken
from tfgraft.converters.tensorrt.context import PLAIN

_BF16 = tf.bfloat16.as_numpy_dtype
_C = np.array([[True, False, True], [False, False, True]])
_X = np.arange(6, dtype="f").reshape(2, 3)
_OPS = ("Select", "SelectV2")

CASES: list[OpCase] = [
    *taken(MATH, _OPS, PLAIN),
    *(
        case
        for op in _OPS
        for case in (
            raw(op, _C, _X.astype(_BF16), -_X.astype(_BF16)),
            raw(op, _C, _X, np.full((2, 3), np.nan, "f"), case=DYNAMIC),
            raw(op, np.array(True), np.float32(1), np.float32(2)),
            raw(op, np.ones((1, 1), bool), np.ones((1, 1), "int64"), np.zeros((1, 1), "int64")),
            raw(op, _C[:0], _X[:0], _X[:0], case=DYNAMIC),
            raw(op, _C, _X.astype("int16"), _X.astype("int16"), case=refused("dtype")),
            raw(op, _C, _X, _X, case=refused("unknown-rank", unknown_rank=True)),
        )
    ),
    raw("SelectV2", _C, K(np.float32(3)), _X, case=DYNAMIC, id="constant"),
    raw("SelectV2", _C[:, None], _X[0], _X[:, None, :1]),
    raw("Select", _C[0, :2], _X > 2, _X > 1, id="rows"),
    *both("Select", lambda x: tf.raw_ops.Select(condition=x > 0.0, x=x, y=-x)),
    raw("Where", _C, case=refused("unknown-dim")),
]
