"""Cases of StridedSlice."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.indexing_cases import CASES as SHARED
from tests.cases.raw import DYNAMIC, PARTLY, UNKNOWN, K, held, raw, refused
from tests.tensorrt.reuse import taken
from tfgraft.converters.tensorrt.context import PLAIN

_OP = "StridedSlice"
_X = np.arange(60, dtype="f").reshape(3, 4, 5)
_BOUNDS: tuple[tuple[str, Any], ...] = (
    ("[i:j]", lambda x, i, j: x[:, i:j]),
    ("[i:j:-1]", lambda x, i, j: x[:, i:j:-1]),
    ("[i::-2]", lambda x, i, j: x[:, i::-2]),
    ("[:j:2]", lambda x, i, j: x[:, :j:2]),
    ("[::s]", lambda x, i, j: x[:, :: tf.sign(j - i)]),
    ("[i::s]", lambda x, i, j: x[:, i :: tf.sign(j - i)]),
    ("[:i:s]", lambda x, i, j: x[:, : i : 2 * tf.sign(i - j)]),
)
"""Slices of a dimension of four, with positions from far before it to far after it."""


def _computed() -> list[OpCase]:
    pairs = ((0, 4), (1, 3), (3, 1), (-1, -9), (-3, 9), (9, 0), (4, 5), (-9, -2))
    return [
        OpCase(f"{name}-{i},{j}", _OP, build, [_X, np.int32(i), np.int32(j)], dynamic=bool(n % 2))
        for name, build in _BOUNDS
        for n, (i, j) in enumerate(pairs)
    ]


def _best(x: Any) -> Any:
    """Take at a position that is known on the device only."""
    return x[:, tf.argmax(x[0, :, 0], output_type=tf.int32), 1:]


def _running(x: Any) -> Any:
    """Add up rows, a slice of them and an update of them, at the positions that a loop counts."""

    def body(i: Any, total: Any, rows: Any) -> Any:
        part = tf.slice(x, tf.stack([i, 0, 0]), [1, 4, 5])
        return i + 1, total + x[i] + part[0], tf.tensor_scatter_nd_add(rows, [[i]], [x[i]])

    start = (0, tf.zeros_like(x[0]), tf.ones_like(x))
    return tf.while_loop(lambda i, *_: i < tf.shape(x)[0], body, start)[1:]


CASES: list[OpCase] = [
    *taken(SHARED, (_OP,), PLAIN),
    *_computed(),
    *(
        OpCase(f"constant-{i},{j},{s}", _OP, lambda x, i=i, j=j, s=s: x[:, i:j:s], [_X], dynamic=True)
        for i, j in ((9, 0), (4, 9), (-9, 2), (-1, -9), (1, 1))
        for s in (1, 3, -1, -2)
    ),
    *(OpCase(f"of-none-{s}", _OP, lambda x, s=s: x[1::s, :2], [_X[:0, :, 0]], dynamic=True) for s in (1, 2, -1)),
    OpCase("bfloat16", _OP, lambda x: x[1:, ::-2, 0], [_X.astype(tf.bfloat16.as_numpy_dtype)]),
    OpCase("device", _OP, _best, [_X]),
    *(OpCase(f"rows-{d}", "StatelessWhile", _running, [_X], dynamic=d) for d in (False, ((None, 4, 5),))),
    OpCase("device-dynamic", _OP, _best, [_X], dynamic=True),
    OpCase("shape", _OP, lambda x: tf.shape(x)[1:] * tf.shape(x)[-1] + tf.shape(x)[:2], [_X], dynamic=True),
    held(_OP, lambda x: x[:, tf.shape(x)[1] // 2, ..., -1], "index", dynamic=PARTLY),
    held(_OP, lambda x: x[..., :: tf.shape(x)[0], 1:], "stride", dynamic=PARTLY),
    raw(_OP, _X, K([0]), K([1]), K([1]), case=refused("unknown-rank", **UNKNOWN)),
    raw(_OP, _X, *(np.array([1]) for _ in range(3)), case=refused("unknown-dim", **DYNAMIC)),
    raw(_OP, _X.astype("float64"), K([0]), K([1]), K([1]), case=refused("dtype")),
]
