"""Cases of slices, splits, reversal and rolling."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.indexing_cases import CASES as SHARED
from tests.cases.raw import DYNAMIC, PARTLY, UNKNOWN, K, both, held, raw, refused
from tests.tensorrt.reuse import taken
from tfgraft.converters.tensorrt.context import PLAIN

_X = np.arange(24, dtype="f").reshape(4, 6)
_B = _X.astype(tf.bfloat16.as_numpy_dtype)
_D = _X.astype("float64")
_TYPES: tuple[Any, ...] = (*sorted(PLAIN - {"bfloat16"}), _B.dtype)
_UNKNOWN = refused("unknown-rank", **UNKNOWN)


def _best(x: Any) -> Any:
    """Slice from a position that is known on the device only."""
    at = tf.argmax(x[0], output_type=tf.int32)
    return tf.slice(x, tf.stack([0, at]), [4, 1]) + tf.slice(x, tf.stack([1, at - 2]), [1, 3])


def _rolls() -> list[OpCase]:
    cases = [raw("Roll", _X.astype(t), K(2), K(0)) for t in _TYPES]
    for shift, axis in (([1, -2], [0, 1]), ([9], [-1]), ([-13], [0]), ([1, 2], [1, 1]), ([0], [0])):
        cases += [raw("Roll", _X, K(shift), K(axis), id=f"{shift}-{axis}", case=c) for c in (None, DYNAMIC)]
        cases += [raw("Roll", _X, np.array(shift), K(axis), id=f"{shift}-{axis}")]
    cases += [raw("Roll", _X[:0], K(1), K(0)), raw("Roll", _X[:1], K(-1), K(0))]
    cases += both("Roll", lambda x: tf.roll(x, (1, -1), (2, 3)))
    return [
        *cases,
        raw("Roll", _D, K(1), K(0), case=refused("dtype")),
        raw("Roll", _X, K(1), K(0), case=_UNKNOWN),
        raw("Roll", _X, K(1), np.array(0), case=refused("not-constant")),
    ]


CASES: list[OpCase] = [
    *taken(SHARED, ("Slice", "Split", "SplitV", "Unpack", "ReverseV2"), PLAIN),
    raw("Slice", _B, K([1, 2]), K([2, -1])),
    raw("Slice", _X[:0], K([0, 1]), K([-1, 2]), case=DYNAMIC),
    OpCase("device", "Slice", _best, [_X]),
    OpCase("rest", "Slice", lambda x: tf.slice(x, [1, tf.shape(x)[1] - 2], [-1, -1]), [_X], dynamic=True),
    held("Slice", lambda x: tf.slice(x, [0, tf.shape(x)[1] - 3, 0, 1], [-1, 2, 3, -1]), "begin", dynamic=PARTLY),
    raw("Split", K(1), _B, num_split=3),
    raw("SplitV", _B, K([1, 5]), K(1), num_split=2),
    *(raw("SplitV", _X, K([1, -1, 2]), K(a), id=str(a), num_split=3, case=c) for a in (0, -1) for c in (None, DYNAMIC)),
    raw("Unpack", _B, num=4),
    raw("ReverseV2", _B, K([0])),
    raw("ReverseV2", _X[:0], K([0, 1]), id="empty", case=DYNAMIC),
    raw("Slice", _D, K([0, 0]), K([1, 1]), case=refused("dtype")),
    raw("Slice", _X, np.array([0, 0]), np.array([1, 1]), case=_UNKNOWN),
    raw("Split", K(0), _D, num_split=2, case=refused("dtype")),
    raw("Split", K(0), _X, num_split=2, case=_UNKNOWN),
    raw("Split", np.int32(0), _X, num_split=2, case=refused("not-constant")),
    raw("SplitV", _D, K([1, 3]), K(0), num_split=2, case=refused("dtype")),
    raw("SplitV", _X, K([1, 3]), K(0), num_split=2, case=_UNKNOWN),
    raw("SplitV", _X, np.array([1, 3]), K(0), num_split=2, case=refused("not-constant")),
    raw("Unpack", _D, num=4, case=refused("dtype")),
    raw("Unpack", _X, num=4, case=_UNKNOWN),
    raw("ReverseV2", _D, K([0]), case=refused("dtype")),
    raw("ReverseV2", _X, K([0]), case=_UNKNOWN),
    raw("ReverseV2", _X, np.array([0]), case=refused("not-constant")),
    *_rolls(),
]
