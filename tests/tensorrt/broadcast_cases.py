"""Cases of broadcasting to a shape, and of shapes that broadcast."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.cases.array_cases import CASES as SHARED
from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, UNKNOWN, K, raw, refused
from tests.tensorrt.reuse import taken
from tfgraft.converters.tensorrt.context import PLAIN

_X = np.arange(3, dtype="f").reshape(1, 3)
_TWO = np.array([2, 1], "int32"), np.array([3], "int32")
_BY_SHAPE = lambda x: tf.broadcast_to(x[:1], tf.shape(x))  # noqa: E731

CASES: list[OpCase] = [
    *(c for c in taken(SHARED, ("BroadcastTo", "BroadcastArgs"), PLAIN) if not c.dynamic),
    raw("BroadcastTo", _X.astype(tf.bfloat16.as_numpy_dtype), K([2, 3])),
    raw("BroadcastTo", _X, K([4, 3]), case={"dynamic": ((None, 3),)}),
    raw("BroadcastTo", _X, np.array([4, 3]), case={"dynamic": ((None, None), (2,))}),
    raw("BroadcastTo", _X, np.array([2, 0, 3], "int32"), case={"dynamic": ((None, None), (3,))}),
    raw("BroadcastTo", np.float32(2), np.array([2, 2]), case={"dynamic": ((), (2,))}),
    *(OpCase(f"shape-{n}", "BroadcastTo", _BY_SHAPE, [np.ones((n, 3), "f")], dynamic=True) for n in (0, 1, 4)),
    OpCase(
        "shapes",
        "BroadcastArgs",
        lambda x, y: tf.broadcast_to(x, tf.raw_ops.BroadcastArgs(s0=tf.shape(x), s1=tf.concat([[5], tf.shape(y)], 0))),
        [np.ones((4, 1), "f"), np.ones((1, 3), "f")],
        dynamic=True,
    ),
    raw("BroadcastTo", _X.astype("float64"), K([2, 3]), case=refused("dtype")),
    raw("BroadcastTo", _X, K([2, 3]), case=refused("unknown-rank", **UNKNOWN)),
    raw("BroadcastTo", _X, np.array([2, 3]), case=refused("unknown-rank", **DYNAMIC)),
    raw("BroadcastArgs", *_TWO, case=refused("unknown-dim", **DYNAMIC)),
    raw("BroadcastArgs", *_TWO, case=refused("unknown-dim", **UNKNOWN)),
]
