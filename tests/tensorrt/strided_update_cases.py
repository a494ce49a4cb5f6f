"""Cases of TensorStridedSliceUpdate."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, UNKNOWN, K, held, raw, refused
from tfgraft.converters.tensorrt.context import PLAIN

_OP = "TensorStridedSliceUpdate"
_X = np.arange(24, dtype="f").reshape(2, 3, 4)
_ROW: Any = (K([1]), K([2]), K([1]))
_NEW = -np.ones((1, 3, 4), "f")
_TYPES: tuple[Any, ...] = (*sorted(PLAIN - {"bfloat16"}), tf.bfloat16.as_numpy_dtype)


def _update(x: Any) -> Any:
    new = tf.zeros_like(x[:, 1:3])
    return tf.raw_ops.TensorStridedSliceUpdate(
        input=x, begin=[0, 1], end=[0, 3], strides=[1, 1], value=new, begin_mask=1, end_mask=1
    )


CASES: list[OpCase] = [
    *(raw(_OP, (_X % 2).astype(t), *_ROW, _NEW.astype("int8").astype(t), id="row") for t in _TYPES if t != "uint8"),
    raw(_OP, _X, *_ROW, _NEW[0], id="index", shrink_axis_mask=1),
    raw(_OP, _X, K([0, -1]), K([0, -4]), K([1, -2]), np.ones((2, 2, 4), "f"), id="masks", begin_mask=1, end_mask=3),
    raw(_OP, _X, K([0, 1]), K([0, 9]), K([1, 2]), np.ones((2, 3, 2), "f"), id="dots", ellipsis_mask=1),
    raw(_OP, _X, K([0, 1]), K([0, 2]), K([1, 1]), np.ones((1, 1, 3, 4), "f"), id="new", new_axis_mask=1),
    raw(_OP, _X[:, :0], *_ROW, _NEW[:, :0]),
    held(_OP, _update),
    raw(_OP, _X.astype("float64"), *_ROW, _NEW.astype("float64"), case=refused("dtype")),
    raw(_OP, _X, *_ROW, _NEW, case=refused("unknown-dim", **DYNAMIC)),
    raw(_OP, _X, *_ROW, _NEW, case=refused("unknown-rank", **UNKNOWN)),
    raw(_OP, _X, np.array([1]), np.array([2]), np.array([1]), _NEW, case=refused("not-constant")),
]
