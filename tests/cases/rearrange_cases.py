"""Space, depth, batch and time."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase

_R = np.random.default_rng(5)
_RAW = tf.raw_ops


def _n(*shape: int, dtype: str = "float32") -> Any:
    return (_R.standard_normal(shape) * 9).astype(dtype)


_K = np.eye(8, dtype="float32")[None, None]


def _depth(op: str, case: str, x: Any, block: int, **more: Any) -> OpCase:
    return OpCase(case, op, lambda v: getattr(_RAW, op)(input=v, block_size=block), [x], **more)


def _held_depth(v: Any) -> Any:
    y = _RAW.DepthToSpace(input=tf.nn.conv2d(v, _K, 1, "SAME"), block_size=2)
    return tf.nn.conv2d(_RAW.SpaceToDepth(input=y, block_size=2), _K, 1, "SAME")


def _to_batch(case: str, x: Any, block: Any, pads: Any, **more: Any) -> OpCase:
    return OpCase(
        case, "SpaceToBatchND", lambda v: _RAW.SpaceToBatchND(input=v, block_shape=block, paddings=pads), [x], **more
    )


def _to_space(case: str, x: Any, block: Any, crops: Any, **more: Any) -> OpCase:
    return OpCase(
        case, "BatchToSpaceND", lambda v: _RAW.BatchToSpaceND(input=v, block_shape=block, crops=crops), [x], **more
    )


def _atrous(op: str, dynamic: Any) -> OpCase:
    def build(v: Any) -> Any:
        y = _RAW.SpaceToBatchND(input=tf.nn.conv2d(v, _K, 1, "SAME"), block_shape=[2, 3], paddings=[[2, 3], [1, 3]])
        y = tf.nn.conv2d(y, np.tile(_K, (3, 2, 1, 1)) / 5, 1, "VALID")
        return tf.nn.relu(_RAW.BatchToSpaceND(input=y, block_shape=[2, 3], crops=[[0, 1], [1, 0]]))

    return OpCase(f"atrous-{'dynamic' if dynamic else 'static'}", op, build, [_n(2, 7, 5, 8)], dynamic=dynamic)


def _reverse(case: str, x: Any, lengths: Any, time: int, batch: int, **more: Any) -> OpCase:
    return OpCase(
        case,
        "ReverseSequence",
        lambda v, n: _RAW.ReverseSequence(input=v, seq_lengths=n, seq_dim=time, batch_dim=batch),
        [x, np.array(lengths)],
        **more,
    )


_ZERO = [[0, 0], [0, 0]]
_ND = ("SpaceToBatchND", "BatchToSpaceND")
_FED: dict[str, Any] = {
    "SpaceToBatchND": (_n(1, 4, 6, 3), np.array([[1, 1], [0, 3]])),
    "BatchToSpaceND": (_n(12, 3, 2, 3), np.array([[1, 2], [0, 0]])),
    "SpaceToBatch": (_n(1, 4, 6, 3), np.array([[1, 1], [0, 2]], "int32")),
    "BatchToSpace": (_n(8, 4, 6, 3), np.array([[1, 1], [0, 2]], "int32")),
}


def _fed(op: str) -> Any:
    ends = "crops" if op.startswith("Batch") else "paddings"
    block: dict[str, Any] = {"block_shape": [2, 3]} if op.endswith("ND") else {"block_size": 2}
    return lambda v, e: getattr(_RAW, op)(input=v, **{ends: e}, **block)


def _held_fed(v: Any, ends: Any) -> Any:
    y = _RAW.SpaceToBatchND(input=tf.nn.conv2d(v, _K, 1, "SAME"), block_shape=[2, 3], paddings=ends)
    return tf.nn.relu(_RAW.BatchToSpaceND(input=tf.nn.relu(y), block_shape=[2, 3], crops=ends))


CASES = [
    _depth("DepthToSpace", "two", _n(2, 3, 5, 8), 2, dynamic=True),
    _depth("DepthToSpace", "three", _n(1, 1, 2, 18), 3),
    _depth("SpaceToDepth", "two", _n(2, 4, 6, 3), 2, dynamic=True),
    _depth("SpaceToDepth", "three", _n(1, 3, 6, 1), 3),
    _depth("SpaceToDepth", "empty", _n(0, 4, 6, 3), 2, dynamic=True),
    *(_depth(op, "uint8", _n(1, 2, 4, 4, dtype="uint8"), 2) for op in ("DepthToSpace", "SpaceToDepth")),
    *(
        _depth(op, "int32", _n(1, 2, 4, 4, dtype="int32"), 2, refusal="dtype")
        for op in ("DepthToSpace", "SpaceToDepth")
    ),
    *(
        OpCase("held", op, _held_depth, [_n(1, 3, 4, 8)], dynamic=((None, None, None, 8),))
        for op in ("DepthToSpace", "SpaceToDepth")
    ),
    *(_atrous(op, d) for op in ("SpaceToBatchND", "BatchToSpaceND") for d in (False, ((None, None, None, 8),))),
    _to_batch("image", _n(1, 4, 6, 3), [2, 3], [[1, 1], [0, 3]], dynamic=True),
    _to_batch("static", _n(2, 4, 6, 3), [2, 3], _ZERO),
    _to_batch("sequence", _n(2, 6, 3), [3], [[0, 3]], dynamic=((None, None, 3),)),
    _to_batch("matrix", _n(2, 6), [3], [[0, 0]], dynamic=True),
    _to_batch("empty", _n(0, 4, 6, 3), [2, 3], _ZERO, dynamic=((None, 4, 6, 3),)),
    _to_batch("int", _n(1, 4, 3, dtype="int32"), [2], [[1, 1]]),
    _to_batch("int16", _n(1, 4, 3, dtype="int16"), [2], [[1, 1]], refusal="dtype"),
    _to_space("image", _n(12, 3, 2, 3), [2, 3], [[1, 2], [0, 1]], dynamic=True),
    _to_space("static", _n(12, 3, 2, 3), [2, 3], _ZERO),
    _to_space("sequence", _n(6, 4, 3), [3], [[1, 0]], dynamic=((None, None, 3),)),
    _to_space("empty", _n(0, 4, 3), [3], [[1, 0]], dynamic=((None, 4, 3),)),
    OpCase(
        "old",
        "SpaceToBatch",
        lambda v: _RAW.SpaceToBatch(input=v, paddings=[[1, 1], [0, 2]], block_size=2),
        [_n(1, 4, 6, 3)],
        dynamic=True,
    ),
    OpCase(
        "old",
        "BatchToSpace",
        lambda v: _RAW.BatchToSpace(input=v, crops=[[1, 1], [0, 2]], block_size=2),
        [_n(8, 4, 6, 3)],
        dynamic=True,
    ),
    *(OpCase(f"fed-ends-{d}", op, _fed(op), [*_FED[op]], dynamic=d) for op in _FED for d in (False, True)),
    *(OpCase("held-fed-ends", op, _held_fed, [_n(1, 4, 6, 8), np.array([[1, 1], [0, 3]])]) for op in _ND),
    OpCase(
        "fed-block",
        "SpaceToBatchND",
        lambda v, b: _RAW.SpaceToBatchND(input=v, block_shape=b, paddings=_ZERO),
        [_n(1, 4, 6, 3), np.array([2, 3])],
        refusal="not-constant",
    ),
    _reverse("time-major", _n(5, 3, 2), [1, 5, 3], 0, 1, dynamic=True),
    _reverse("batch-major", _n(3, 5, 2, dtype="int16"), [1, 5, 0], 1, 0, dynamic=True),
    _reverse("far", _n(2, 4, 5, 3), [1, 5, 3], 2, 3, dynamic=True),
    _reverse("static-int32", _n(2, 4, 5), np.array([2, 4], "int32"), 2, 0),
    _reverse("matrix", _n(3, 5), [5, 5, 2], 1, 0),
    _reverse("rank-unknown", _n(3, 5), [5, 5, 2], 1, 0, unknown_rank=True, refusal="unknown-rank"),
]
