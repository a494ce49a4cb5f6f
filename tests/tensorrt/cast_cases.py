"""Cases of casts."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, both, raw, refused

_TYPES = ("float32", "float16", "bfloat16", "int32", "int64", "int8", "uint8", "bool")
_WHOLE = np.array([0, 1, 5, 100, 127])
_FRACTIONS = np.array([0.0, 0.5, -0.5, 1.9, -1.9, 100.5, -100.5])
_WRAP = np.array([0, -1, 127, 128, 255, 256, -129, 65535, 2**31 - 1, -(2**31)])


def _array(values: object, dtype: str) -> np.ndarray:
    return np.asarray(values).astype(tf.as_dtype(dtype).as_numpy_dtype)


CASES: list[OpCase] = [
    *(raw("Cast", _array(_WHOLE, a), DstT=tf.as_dtype(b), id=b) for a in _TYPES for b in _TYPES),
    *(
        raw("Cast", _array(_FRACTIONS, a), DstT=tf.as_dtype(b), id=b, case=DYNAMIC)
        for a in _TYPES[:3]
        for b in ("int32", "int64", "int8", "bool")
    ),
    *(
        raw("Cast", _array(_WRAP, a), DstT=tf.as_dtype(b), id=f"wrap-{b}")
        for a in ("int32", "int64")
        for b in ("int8", "uint8", "int32")
    ),
    raw("Cast", np.array([2**40 + 3, -(2**35) - 1]), DstT=tf.int32, id="wrap-far"),
    raw("Cast", np.array([-128, -1, 127], "int8"), DstT=tf.uint8),
    raw("Cast", np.array([0, 128, 255], "uint8"), DstT=tf.int8),
    *(raw("Cast", _array([np.nan, np.inf, 0], a), DstT=tf.bool, id="odd") for a in _TYPES[:3]),
    *(
        case
        for to in (tf.int64, tf.uint8)
        for case in (
            raw("Cast", np.float32(2.7), DstT=to),
            raw("Cast", np.zeros((0, 2), "f"), DstT=to, case=DYNAMIC),
            raw("Cast", np.ones((1, 1, 1), "int32"), DstT=to),
        )
    ),
    OpCase(
        "image", "Cast", lambda x: tf.cast(x, tf.float32) / 255.0, [np.array([[0, 128, 255]], "uint8")], dynamic=True
    ),
    OpCase(
        "through", "Cast", lambda x: tf.cast(tf.cast(tf.cast(x * 3, tf.uint8), tf.float32) / 2, tf.int8), [_WHOLE[:3]]
    ),
    OpCase(
        "constant",
        "Cast",
        lambda x: x * tf.cast(tf.constant(np.array([1, 200], "uint8")), tf.float32),
        [np.ones(2, "f")],
    ),
    *both("Cast", lambda x: tf.cast(x * 10.0, tf.int32)),
    *both("Cast", lambda x: tf.cast(tf.abs(x), tf.uint8), "uint8"),
    raw("Cast", np.array([1.5]), DstT=tf.float32, case=refused("dtype")),
    raw("Cast", np.array([1.5], "f"), DstT=tf.complex64, case=refused("dtype")),
    raw("Cast", np.array([1.5], "f"), DstT=tf.float16, Truncate=True, case=refused("attribute")),
]
