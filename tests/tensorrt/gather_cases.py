"""Cases of taking by index."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.indexing_cases import CASES as SHARED
from tests.cases.raw import DYNAMIC, UNKNOWN, K, both, call, raw, refused
from tests.tensorrt.reuse import taken
from tfgraft.converters.tensorrt.context import PLAIN

_X = np.arange(120, dtype="f").reshape(2, 3, 4, 5)
_B = _X.astype(tf.bfloat16.as_numpy_dtype)
_D = _X.astype("float64")
_AT = np.random.default_rng(3).integers(0, 2, (2, 3, 2)).astype("int32")
_UNKNOWN = refused("unknown-rank", **UNKNOWN)
_ORDER = np.array([2, 0, 3, 1])


def _batched(batch: int, axis: int, **case: Any) -> OpCase:
    return raw("GatherV2", _X, _AT, K(axis), id=f"axis-{axis}", batch_dims=batch, case=case)


def _from_counted(x: Any) -> Any:
    """Invert a permutation that is computed from a shape, and transpose nothing by it: a sum of positions."""
    return tf.raw_ops.InvertPermutation(x=tf.reverse(tf.range(tf.shape(x)[0]), [0]))


CASES: list[OpCase] = [
    *(
        case
        for case in taken(SHARED, ("Gather", "GatherV2", "GatherNd", "InvertPermutation"), PLAIN)
        if case.op != "GatherNd" or not case.dynamic  # the depth of the indices must be known
    ),
    raw("Gather", _B, np.array([1, 0])),
    raw("GatherV2", _B, K([[2, 0]]), K(-1)),
    raw("GatherV2", _X[:, :, :0], _AT[:, 0], K(1), id="of-nothing", case=DYNAMIC),
    *(
        _batched(batch, axis, **case)
        for batch, axis in ((1, 1), (1, 3), (1, -2), (2, 2), (2, 3))
        for case in ({}, DYNAMIC)
    ),
    raw("GatherV2", _X[:, :1], _AT[:, :1], K(3), id="ones", batch_dims=-1),
    raw("GatherV2", _X > 50, _AT[:, 0, 0], K(2), id="scalars", batch_dims=1),
    *both("GatherV2", call("GatherV2", indices=np.array([[1], [0]]), axis=2, batch_dims=1), "batched"),
    raw("GatherNd", _B, _AT),
    raw("GatherNd", _X, _AT, case={"dynamic": ((None,) * 4, (None, None, 2))}),
    raw("GatherNd", _X, np.zeros((3, 0), "int32"), id="whole"),
    raw("GatherNd", _X, np.zeros((3, 0), "int32"), id="whole-unknown", case={"dynamic": ((None,) * 4, (None, 0))}),
    raw("InvertPermutation", np.array([0])),
    OpCase("constant", "InvertPermutation", lambda x: x + tf.raw_ops.InvertPermutation(x=_ORDER), [_ORDER]),
    OpCase("counted", "InvertPermutation", _from_counted, [_X[0]], dynamic=True),
    raw("Gather", _D, np.array([1]), case=refused("dtype")),
    raw("Gather", _X, np.array([1]), case=_UNKNOWN),
    raw("GatherV2", _X, np.array([1], "int16"), K(0), case=refused("dtype")),
    raw("GatherV2", _X, np.array([1]), K(0), case=_UNKNOWN),
    raw("GatherV2", _X, np.array([1]), np.int32(0), case=refused("not-constant")),
    raw("GatherNd", _D, _AT, case=refused("dtype")),
    raw("GatherNd", _X, _AT, case=_UNKNOWN),
    raw("GatherNd", _X, _AT, case=refused("unknown-dim", **DYNAMIC)),
    raw("GatherNd", _X, _AT, bad_indices_policy="IGNORE", case=refused("attribute")),
]
