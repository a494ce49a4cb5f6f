"""Cases of joining and repeating."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.cases.array_cases import CASES as SHARED
from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, UNKNOWN, K, raw, refused
from tests.tensorrt.reuse import taken
from tfgraft.converters.tensorrt.context import PLAIN

_X = np.arange(6, dtype="f").reshape(2, 3)
_B = _X.astype(tf.bfloat16.as_numpy_dtype)
_D = _X.astype("float64")
_UNKNOWN = refused("unknown-rank", **UNKNOWN)

CASES: list[OpCase] = [
    *taken(SHARED, ("ConcatV2", "Concat", "Pack", "Tile"), PLAIN),
    raw("ConcatV2", [_B, _B], K(1)),
    raw("ConcatV2", [_X[:0], _X], K(0), case=DYNAMIC),
    raw("Concat", K(-1), [_B, _B, _X.astype(_B.dtype)]),
    raw("Concat", K(0), [_X, _X[:1]], case=DYNAMIC),
    raw("Concat", K(-1), [_X[0] > 1, _X[1] > 1]),
    raw("Pack", [_B, _B], axis=2),
    raw("Pack", [np.int64(3), K(np.int64(4))], id="mixed"),
    raw("Tile", _B, K([1, 2])),
    raw("Tile", _X[:0], K([2, 2]), case=DYNAMIC),
    raw("Tile", _X, np.array([0, 2]), id="none", case=DYNAMIC | {"dynamic": ((None, None), (2,))}),
    OpCase("by-shape", "Tile", lambda x: tf.tile(x[:1], (tf.shape(x)[0], 1)), [_X], dynamic=True),
    raw("ConcatV2", [_D, _D], K(0), case=refused("dtype")),
    raw("ConcatV2", [_X, _X], K(0), case=_UNKNOWN),
    raw("ConcatV2", [_X, _X], np.array(0), case=refused("not-constant")),
    raw("Concat", K(0), [_D, _D], case=refused("dtype")),
    raw("Concat", K(0), [_X, _X], case=_UNKNOWN),
    raw("Concat", np.int32(0), [_X, _X], case=refused("not-constant")),
    raw("Pack", [_D, _D], case=refused("dtype")),
    raw("Pack", [_X, _X], case=_UNKNOWN),
    raw("Tile", _D, K([1, 2]), case=refused("dtype")),
    raw("Tile", _X, np.array([1, 2]), case=_UNKNOWN),
]
