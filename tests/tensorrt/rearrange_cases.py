"""Cases of moving elements between space, depth, batch and time."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.nchw_cases import CASES as FIRST
from tests.cases.raw import DYNAMIC, UNKNOWN, K, both, raw, refused
from tests.cases.rearrange_cases import CASES as SHARED
from tests.tensorrt.reuse import taken
from tfgraft.converters.tensorrt.context import PLAIN

_DEPTH = ("DepthToSpace", "SpaceToDepth")
_ND = ("SpaceToBatchND", "BatchToSpaceND")
_2D = ("SpaceToBatch", "BatchToSpace")
_X = np.arange(192, dtype="f").reshape(4, 4, 4, 3)
_DEEP = np.arange(192, dtype="f").reshape(1, 2, 6, 16)
_TYPES: tuple[Any, ...] = (*sorted(PLAIN - {"bfloat16", "bool"}), tf.bfloat16.as_numpy_dtype)
_ENDS = K([[1, 1], [0, 2]])
_FAR: Any = {"dynamic": ((None, 4, 4, 3), (2, 2))}
_UNKNOWN = refused("unknown-rank", **UNKNOWN)


def _of_rows(op: str) -> Any:
    return lambda x: getattr(tf.raw_ops, op)(input=x[:, 1:, :, :], block_size=2)


def _depths() -> list[OpCase]:
    cases = []
    for op in _DEPTH:
        cases += [raw(op, (_DEEP % 100).astype(t), id="types", block_size=2) for t in _TYPES]
        cases += [raw(op, _DEEP, block_size=2, case=case) for case in (DYNAMIC, {"dynamic": ((None, None, None, 16),)})]
        cases += [raw(op, _DEEP[:0], block_size=2, case=DYNAMIC), raw(op, _DEEP > 50, block_size=2)]
        cases += both(op, _of_rows(op))
        cases += [
            raw(op, _DEEP.astype("float64"), block_size=2, case=refused("dtype")),
            raw(op, np.zeros((1, 4, 2, 2, 4), "int8"), block_size=2, data_format="NCHW_VECT_C", case=refused("rank")),
        ]
    return cases


def _batches() -> list[OpCase]:
    cases: list[OpCase] = []
    for op in _ND:
        cases += [raw(op, _X.astype(t), K([2, 2]), _ENDS, id="types") for t in _TYPES]
        cases += [
            raw(op, _X, K([2, 2]), np.array([[1, 1], [0, 2]]), id=i, case=c) for i, c in (("", None), ("far", _FAR))
        ]
        cases += [raw(op, _X[:0], K([2, 2]), _ENDS, case=DYNAMIC), raw(op, _X, K([1, 4]), K([[0, 0], [0, 0]]))]
        cases += [
            raw(op, _X.astype("float64"), K([2, 2]), _ENDS, case=refused("dtype")),
            raw(op, _X, K([2, 2]), np.array([[1, 1], [0, 2]]), case=_UNKNOWN),
            raw(op, _X, np.array([2, 2]), _ENDS, case=refused("not-constant")),
            raw(op, np.ones((16, 1, 1, 1, 1, 1), "f"), K([1] * 3), K([[0, 0]] * 3), case=refused("rank")),
        ]
    for op in _2D:
        cases += [raw(op, _X.astype(t), _ENDS, block_size=2) for t in _TYPES]
        cases += [raw(op, _X, np.array([[1, 1], [0, 2]]), block_size=2, case={"dynamic": ((None,) * 4, (2, 2))})]
        cases += [
            raw(op, _X.astype("float64"), _ENDS, block_size=2, case=refused("dtype")),
        ]
    return cases


def _sequences() -> list[OpCase]:
    lengths = np.array([4, 0, 1, 3])
    cases = [raw("ReverseSequence", _X.astype(t), lengths, seq_dim=1) for t in _TYPES]
    for batch, time in ((0, 1), (1, 0), (2, 1), (0, 2)):
        cases += [
            raw("ReverseSequence", _X, lengths.astype(t), seq_dim=time, batch_dim=batch, case=case)
            for t, case in (("int32", {}), ("int64", DYNAMIC))
        ]
    cases += both("ReverseSequence", lambda x: tf.reverse_sequence(x, [3, 2], seq_axis=2, batch_axis=0))
    return [
        *cases,
        raw("ReverseSequence", _X[:0], lengths[:0], seq_dim=1),
        raw("ReverseSequence", _X[:1] > 40, lengths[:1], seq_dim=2),
        raw("ReverseSequence", _X.astype("float64"), lengths, seq_dim=1, case=refused("dtype")),
        raw("ReverseSequence", _X, lengths, seq_dim=1, case=_UNKNOWN),
    ]


CASES: list[OpCase] = [
    *taken([*SHARED, *FIRST], (*_DEPTH, *_ND, *_2D, "ReverseSequence"), PLAIN),
    *_depths(),
    *_batches(),
    raw("BatchToSpaceND", _X, K(np.array([2, 1, 2])), K([[0, 0], [1, 0], [0, 1]]), id="three", case=DYNAMIC),
    *_sequences(),
]
