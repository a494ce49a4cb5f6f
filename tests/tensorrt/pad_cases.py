"""Cases of padding."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.cases.array_cases import CASES as SHARED
from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, PARTLY, UNKNOWN, K, both, held, raw, refused
from tests.tensorrt.reuse import taken
from tfgraft.converters.tensorrt.context import PLAIN

_X = np.arange(9, dtype="f").reshape(3, 3)
_B = _X.astype(tf.bfloat16.as_numpy_dtype)
_D = _X.astype("float64")
_PAIRS = [[2, 1], [0, 3]]
_FOUR = [[0, 0], [1, 2], [0, 1], [2, 0]]
_MODES = ("REFLECT", "SYMMETRIC")
_UNKNOWN = refused("unknown-rank", **UNKNOWN)

CASES: list[OpCase] = [
    *taken(SHARED, ("Pad", "PadV2", "MirrorPad"), PLAIN),
    raw("Pad", _B, K(_PAIRS)),
    raw("PadV2", _B, K(_PAIRS), K(_B[1, 1])),
    raw("PadV2", _X[:0], K(_PAIRS), np.float32(np.nan), case=DYNAMIC | {"dynamic": ((None, 3), ())}),
    raw("PadV2", _X, K(_PAIRS), np.float32(-np.inf)),
    *(raw("MirrorPad", _B, K([[2, 1], [0, 2]]), mode=mode) for mode in _MODES),
    *(raw("MirrorPad", _X.astype(t), K(_PAIRS), id="types", mode="SYMMETRIC") for t in sorted(PLAIN - {"bfloat16"})),
    *(raw("MirrorPad", _X, np.array([[2, 2], [1, 0]]), id="far", mode=mode) for mode in _MODES),
    *(raw("MirrorPad", _X[:1], K([[0, 0], [2, 2]]), mode=mode, case=DYNAMIC) for mode in _MODES),
    raw("MirrorPad", _X[:0], K([[0, 0], [1, 1]]), mode="SYMMETRIC"),
    *both("MirrorPad", lambda x: tf.pad(x, _FOUR, "SYMMETRIC"), "symmetric"),
    held(
        "MirrorPad",
        lambda x: tf.pad(x, tf.stack([[0, 0], [1, tf.shape(x)[0]], [0, 1], [2, 0]]), "SYMMETRIC"),
        "computed",
        dynamic=PARTLY,
    ),
    raw("Pad", _D, K(_PAIRS), case=refused("dtype")),
    raw("Pad", _X, np.array(_PAIRS), case=_UNKNOWN),
    raw("PadV2", _D, K(_PAIRS), K(np.float64(1)), case=refused("dtype")),
    raw("PadV2", _X, np.array(_PAIRS), np.float32(1), case=_UNKNOWN),
    raw("MirrorPad", _D, K(_PAIRS), mode="REFLECT", case=refused("dtype")),
    raw("MirrorPad", _X, np.array(_PAIRS), mode="REFLECT", case=_UNKNOWN),
]
