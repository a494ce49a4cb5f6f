"""Cases of shapes, and of ops that give a tensor another shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.array_cases import CASES as SHARED
from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, PARTLY, UNKNOWN, K, held, raw, refused
from tests.tensorrt.reuse import taken
from tfgraft.converters.tensorrt.context import PLAIN

_OPS = ("Shape", "ShapeN", "Size", "Rank", "Reshape", "Squeeze", "ExpandDims", "Transpose", "IdentityN", "EnsureShape")
_BF16 = tf.bfloat16.as_numpy_dtype
_X = np.arange(24, dtype="f").reshape(2, 3, 4)
_B = _X.astype(_BF16)
_D = _X.astype("float64")
_UNKNOWN = refused("unknown-rank", **UNKNOWN)


def _flat(x: Any) -> Any:
    return tf.reshape(x, (tf.shape(x)[0], -1))


def _heads(x: Any) -> Any:
    """Split and merge heads as transformers do, with two unknown dimensions."""
    batch, length = tf.unstack(tf.shape(x))[:2]
    y = tf.transpose(tf.reshape(x, (batch, length, 2, 2)), (0, 2, 1, 3))
    return tf.reshape(tf.transpose(y * 2.0, (0, 2, 1, 3)), (batch, length, 4))


def _products(x: Any) -> Any:
    shape = tf.shape(x, out_type=tf.int64)
    return tf.reshape(x, tf.concat([tf.reduce_prod(shape[:-1], keepdims=True), shape[2:]], 0))


CASES: list[OpCase] = [
    *taken(SHARED, _OPS, PLAIN),
    *(raw(op, _B, case=DYNAMIC) for op in ("Shape", "Size", "Rank")),
    raw("ShapeN", [_B, _B[0]], case=DYNAMIC),
    raw("IdentityN", [_B]),
    raw("Reshape", _B, K([4, 6])),
    raw("Squeeze", _B[:1], axis=[0]),
    raw("ExpandDims", _B, K(1)),
    raw("Transpose", _B, K([2, 0, 1])),
    raw("EnsureShape", _B, shape=[2, None, 4]),
    raw("Reshape", _X, np.array([4, 6], "int32"), case=DYNAMIC | {"dynamic": ((None, None, None), (2,))}),
    raw("Reshape", _X[:0], K([0, 12]), id="rows", case=DYNAMIC),
    raw("Reshape", _X[:, :0], np.array([0, 4, 5], "int64"), id="fed"),
    *(
        OpCase(f"{name}-{'-'.join(map(str, x.shape))}-{dynamic}", "Reshape", build, [x], dynamic=dynamic)
        for name, build in (("flat", _flat), ("heads", _heads), ("products", _products))
        for x, dynamic in ((_X, True), (_X, ((None, None, 4),)), (_X[:1], True), (_X[:, :1], True))
    ),
    held("Size", lambda x: tf.reshape(x, (tf.size(x),)), "flat", dynamic=PARTLY),
    *(raw(op, _D, case=refused("dtype")) for op in ("Shape", "Size", "Rank")),
    *(raw(op, [_D], case=refused("dtype")) for op in ("ShapeN", "IdentityN")),
    *(raw(op, _X, case=_UNKNOWN) for op in ("Shape", "Size", "Rank")),
    raw("ShapeN", [_X, _X], case=_UNKNOWN),
    raw("Reshape", _D, K([4, 6]), case=refused("dtype")),
    raw("Reshape", _X, K([4, 6]), case=_UNKNOWN),
    raw("Reshape", _X, np.array([4, 6]), case=refused("unknown-rank", **DYNAMIC)),
    raw("Squeeze", _D, axis=[], case=refused("dtype")),
    raw("Squeeze", _X, axis=[], case=_UNKNOWN),
    raw("Squeeze", _X, axis=[], case=refused("unknown-dim", **DYNAMIC)),
    raw("ExpandDims", _D, K(0), case=refused("dtype")),
    raw("ExpandDims", _X, K(0), case=_UNKNOWN),
    raw("ExpandDims", _X, np.array(0), case=refused("not-constant")),
    raw("Transpose", _D, K([0, 1, 2]), case=refused("dtype")),
    raw("Transpose", _X, np.array([0, 2, 1]), case=refused("not-constant")),
    raw("EnsureShape", _D, shape=[2, 3, 4], case=refused("dtype")),
    raw("EnsureShape", _X, shape=None, case=_UNKNOWN),
]
