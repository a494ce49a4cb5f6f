"""Cases of comparisons and logic."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.math_cases import CASES as MATH
from tests.cases.raw import DYNAMIC, K, both, call, raw, refused
from tests.tensorrt.reuse import taken
from tfgraft.converters.tensorrt.context import PLAIN

_BF16 = tf.bfloat16.as_numpy_dtype
_ORDER = ("Less", "LessEqual", "Greater", "GreaterEqual")
_SAME = ("Equal", "NotEqual")
_NEAR = "ApproximateEqual"
_LOGIC = ("LogicalAnd", "LogicalOr")
_X, _Y = np.array([[1, 2, 3], [0, -1, np.nan]], "f"), np.array([1, 3, 2], "f")
_UNKNOWN = refused("unknown-rank", unknown_rank=True)

CASES: list[OpCase] = [
    *taken(MATH, (*_ORDER, *_SAME, *_LOGIC), PLAIN),
    *(
        case
        for op in (*_ORDER, *_SAME)
        for case in (
            raw(op, _X.astype(_BF16), _Y.astype(_BF16)),
            raw(op, _X, K(np.float32(1)), id="one", case=DYNAMIC),
            raw(op, np.float32(1), np.float32(1)),
            *both(op, call(op, y=np.zeros((2, 5, 6, 4), "f")), "full"),
            raw(op, _Y.astype("float64"), _Y.astype("float64"), case=refused("dtype")),
            raw(op, _Y, _Y, case=_UNKNOWN),
        )
    ),
    *(
        case
        for op in _LOGIC
        for case in (
            raw(op, np.array([True, False]), np.array(True), case=DYNAMIC),
            raw(op, np.zeros((0, 2), bool), np.array([True, False])),
            raw(op, np.array(True), np.array(False)),
            raw(op, np.array([True]), np.array([True]), case=_UNKNOWN),
        )
    ),
    *(
        raw(op, np.zeros(2, "f"), np.zeros(3, "f"), incompatible_shape_error=False, case=refused("attribute"))
        for op in _SAME
    ),
    raw(_NEAR, _Y, _Y + np.array([0.01, 0.03, -0.01], "f"), tolerance=0.02),
    raw(_NEAR, _X, _X, case=DYNAMIC),
    raw(_NEAR, np.float32(1), np.float32(1)),
    raw(_NEAR, _X[:0], _X[:0]),
    *both(_NEAR, call(_NEAR, y=np.zeros((2, 5, 6, 4), "f"))),
    raw(_NEAR, _Y.astype("float64"), _Y.astype("float64"), case=refused("dtype")),
    raw(_NEAR, _Y, _Y, case=_UNKNOWN),
]
