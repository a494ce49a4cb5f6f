"""Shapes, joining, filling, padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, PARTLY, UNKNOWN, K, both, call, held, raw, refused

_R = np.random.default_rng(4)
_KINDS = (
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
)
_EMPTY = np.zeros(0, np.int32)
_COMPLEX = np.ones((2, 2), np.complex64)


def _n(*shape: int, dtype: str = "float32") -> Any:
    return _R.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)


def _long(*values: int) -> K:
    return K(np.array(values))


def _shapes() -> list[OpCase]:
    cases = []
    for case in ({}, DYNAMIC, UNKNOWN):
        for t in (tf.int32, tf.int64):
            cases += [raw("Shape", _n(2, 3), out_type=t, case=case), raw("Size", _n(2, 3), out_type=t, case=case)]
            cases += [raw("ShapeN", [_n(2, 3), _n(4)], out_type=t, case=case)]
        cases += [raw("Shape", _n(), case=case), raw("Shape", _n(0, 3), case=case), raw("Size", _n(0, 3), case=case)]
        cases += [raw("Rank", _n(2, 3), case=case), raw("Rank", _n(), case=case)]
    cases += [raw(op, _n(2, dtype=t), case=DYNAMIC) for op in ("Shape", "Size", "Rank") for t in _KINDS]
    cases += [raw("ShapeN", [_COMPLEX], case=refused("dtype"))]
    cases += [raw(op, _COMPLEX, case=refused("dtype")) for op in ("Shape", "Size", "Rank")]
    cases += [
        held(op, call(op), f"{op}-{dynamic is PARTLY}", dynamic=dynamic)
        for op in ("Shape", "Size")
        for dynamic in (False, PARTLY)
    ]
    return cases


def _reshapes() -> list[OpCase]:
    cases = [raw("Reshape", _n(2, 3, dtype=t), K([3, 2])) for t in _KINDS]
    for wanted in ([6], [-1, 2], [2, 3, 1], [1, -1]):
        cases += [
            raw("Reshape", _n(2, 3), _long(*wanted), id=f"long-{wanted}", case=c) for c in (None, DYNAMIC, UNKNOWN)
        ]
        for t in ("int32", "int64"):
            cases += [raw("Reshape", _n(2, 3), np.array(wanted, t), id=str(wanted), case=c) for c in (None, UNKNOWN)]
    cases += [raw("Reshape", _n(), K([1, 1])), raw("Reshape", _n(1, 1), K(_EMPTY)), raw("Reshape", _n(1), _EMPTY)]
    cases += [
        raw("Reshape", _n(0, 3), K([3, 0])),
        raw("Reshape", _n(0, 3), np.array([0, 7])),
        raw("Reshape", _n(0, 3), K([-1, 3]), id="rest"),
    ]
    cases += [
        raw("Reshape", _n(0, 3), K([3, 0]), id="zero", case=DYNAMIC),
        raw("Reshape", _n(0, 4), K([-1, 2]), case=DYNAMIC),
    ]
    cases += [raw("Reshape", _COMPLEX, K([4]), case=refused("dtype"))]
    cases += both("Reshape", lambda x: tf.reshape(x, (-1, 4))) + both(
        "Reshape", lambda x: tf.reshape(x, (2, -1)), "flat"
    )
    cases += both("Reshape", lambda x: tf.reshape(tf.reduce_mean(x, (1, 2), keepdims=True), (-1, 4)), "pooled")
    cases += [OpCase(f"chain-{d}-{u}", "Reshape", _chain, [_n(2, 3, 4)], dynamic=d, unknown_rank=u)
              for d, u in ((False, False), (True, False), (False, True))]  # fmt: skip
    cases += both("Reshape", lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0], 6, tf.shape(x)[1], 4])), "chain")

    for axes in ([0], [-1], [0, 2], []):
        x = _n(1, 3, 1)
        cases += [raw("Squeeze", x, id=str(axes), axis=axes)]
        cases += [
            raw("Squeeze", x, id=str(axes), axis=axes, case=refused("unknown-dim", **DYNAMIC) if not axes else DYNAMIC)
        ]
        cases += [
            raw("Squeeze", x, id=str(axes), axis=axes, case=refused("unknown-rank", **UNKNOWN) if not axes else UNKNOWN)
        ]
    cases += [raw("Squeeze", _n(1, 2, dtype=t)) for t in _KINDS] + [
        raw("Squeeze", _n()),
        raw("Squeeze", _n(2, 3), id="none"),
    ]
    cases += [raw("Squeeze", _n(0, 1)), raw("Squeeze", _COMPLEX, case=refused("dtype"))]
    cases += both("Squeeze", lambda x: tf.squeeze(_pooled(x), (1, 2))) + both(
        "Squeeze", lambda x: tf.squeeze(_pooled(x), -2), "one"
    )

    for axis in (0, 1, -1, -2):
        cases += [raw("ExpandDims", _n(2, 3), K(axis), id=str(axis), case=c) for c in (None, DYNAMIC, UNKNOWN)]
        cases += [held("ExpandDims", _expanded(axis), str(axis))]
    cases += [raw("ExpandDims", _n(2, dtype=t), _long(0)) for t in _KINDS] + [raw("ExpandDims", _n(), K(0))]
    cases += [raw("ExpandDims", _n(2), np.array(0), case=refused("not-constant"))]
    cases += [raw("ExpandDims", _COMPLEX, K(0), case=refused("dtype")), raw("ExpandDims", _n(0, 2), K([1]))]
    return cases


def _expanded(axis: int) -> Any:
    return lambda x: tf.expand_dims(x, axis) * 2.0


def _joined(axis: int) -> Any:
    return lambda x: tf.concat([x, x * 2.0, tf.constant(np.ones((2, 5, 6, 4), "f"))], axis)


def _stacked(axis: int) -> Any:
    return lambda x: tf.stack([x, x * 2.0], axis)


def _pooled(x: Any) -> Any:
    return tf.reduce_mean(x, (1, 2), keepdims=True)


def _there_and_back(x: Any) -> Any:
    x = tf.transpose(tf.transpose(x, (0, 3, 1, 2)), (0, 2, 3, 1))
    return tf.nn.conv2d(x, np.ones((1, 1, 4, 2), "f"), 1, "SAME")


def _chain(x: Any) -> Any:
    """Reshape by a shape that is computed with shape, slice, arithmetic and stack."""
    shape = tf.shape(x)
    rows = shape[0] * shape[1] // 2
    return tf.reshape(x * 2.0, tf.concat([tf.stack([rows, 2]), shape[2:]], 0))


def _orders() -> list[OpCase]:
    cases = [raw("Transpose", _n(2, 3, dtype=t), K([1, 0])) for t in _KINDS]
    cases += [raw("Transpose", _n(2, 3, 4), _long(2, 0, 1), case=c) for c in (None, DYNAMIC, UNKNOWN)]
    cases += [
        raw("Transpose", _n(2, 3), K([0, 1]), id="same"),
        raw("Transpose", _n(), K(_EMPTY)),
        raw("Transpose", _n(0, 3), K([1, 0])),
    ]
    cases += [raw("Transpose", _n(2, 3), np.array([1, 0]), case=refused("not-constant"))]
    cases += [raw("Transpose", _COMPLEX, K([1, 0]), case=refused("dtype"))]
    cases += both("Transpose", lambda x: tf.transpose(x, (0, 3, 1, 2))) + both(
        "Transpose", lambda x: tf.transpose(x, (3, 1, 0, 2)), "far"
    )
    twice = lambda x: tf.transpose(tf.transpose(x, (2, 0, 1)), (1, 0, 2)) + tf.transpose(x, (0, 2, 1))  # noqa: E731
    cases += [OpCase("twice", "Transpose", twice, [_n(2, 3, 4)])]
    constant = lambda x: x @ tf.transpose(tf.constant(_n(9, 8)))  # noqa: E731
    cases += [OpCase("of-a-weight", "Transpose", constant, [_n(2, 8)], atol=1e-2)]
    cases += both("Transpose", _there_and_back, "there-and-back", atol=1e-5)

    cases += [raw("IdentityN", [_n(2), _n(3, dtype="int32")]), raw("IdentityN", [_COMPLEX], case=refused("dtype"))]
    cases += both("IdentityN", lambda x: tf.raw_ops.IdentityN(input=[x, x + 1.0]))
    cases += [
        raw("EnsureShape", _n(2, 3), shape=s, case=c) for s in ([2, 3], [None, 3]) for c in (None, DYNAMIC, UNKNOWN)
    ]
    cases += [raw("EnsureShape", _COMPLEX, shape=[2, 2], case=refused("dtype"))]
    cases += both("EnsureShape", lambda x: tf.ensure_shape(x, (None, None, None, 4)))
    return cases


def _joins() -> list[OpCase]:
    cases = [raw("ConcatV2", [_n(2, 3, dtype=t), _n(1, 3, dtype=t)], K(0)) for t in _KINDS]
    cases += [
        raw("Concat", K(1), [_n(2, 3), _n(2, 1)]),
        raw("Concat", np.int32(1), [_n(2, 3), _n(2, 1)], case=refused("not-constant")),
    ]
    cases += [raw("ConcatV2", [_n(2, 3), _n(2, 3)], K(np.array(axis)), id=str(axis)) for axis in (1, -1)]
    cases += [raw("ConcatV2", [_n(2, 3), _n(2, 3)], np.array(0), case=refused("not-constant"))]
    cases += [
        raw("ConcatV2", [_n(2, 3), K(np.ones((2, 1), "f")), _n(2, 0)], K(-1), case=c) for c in (None, DYNAMIC, UNKNOWN)
    ]
    cases += [raw("ConcatV2", [_COMPLEX, _COMPLEX], K(0), case=refused("dtype"))]
    cases += [raw("Concat", K(0), [_COMPLEX, _COMPLEX], case=refused("dtype"))]
    for axis in (0, 1, 3, -1):
        cases += both("ConcatV2", _joined(axis), str(axis))

    for axis in (0, 1, -1, -2):
        cases += [
            raw("Pack", [_n(2, 3), _n(2, 3), K(_n(2, 3))], id=str(axis), axis=axis, case=c)
            for c in (None, DYNAMIC, UNKNOWN)
        ]
    for axis in (0, 2, 4, -1):
        cases += [held("Pack", _stacked(axis), str(axis))]
    cases += [raw("Pack", [_n(dtype=t), _n(dtype=t), K(np.array(1, t))]) for t in _KINDS]
    cases += [raw("Pack", [_n(2)]), raw("Pack", [_n(0, 2)] * 2), raw("Pack", [_COMPLEX], case=refused("dtype"))]

    cases += [raw("Tile", _n(2, 3, dtype=t), K([2, 1])) for t in _KINDS if t != "uint16"]
    cases += [
        raw("Tile", _n(2, 3), a, id=str(i), case=c)
        for i, a in enumerate([_long(1, 3), np.array([2, 2], np.int32)])
        for c in (None, DYNAMIC, UNKNOWN)
    ]
    cases += [raw("Tile", _n(2), K([0])), raw("Tile", _n(), K(_EMPTY)), raw("Tile", _n(2, 2), K([1, 1]))]
    cases += [raw("Tile", _COMPLEX, K([1, 2]), case=refused("dtype"))]
    cases += both("Tile", lambda x: tf.tile(x, (1, 2, 1, 3)))
    return cases


def _fills() -> list[OpCase]:
    cases = [
        raw(op, _n(2, 3, dtype=t), case=c) for op in ("ZerosLike", "OnesLike") for t in _KINDS for c in (None, DYNAMIC)
    ]
    cases += [raw(op, _n(*s), case=UNKNOWN) for op in ("ZerosLike", "OnesLike") for s in ((), (0, 2), (2, 1))]
    cases += [raw(op, _COMPLEX, case=refused("dtype")) for op in ("ZerosLike", "OnesLike")]
    cases += both("OnesLike", lambda x: tf.raw_ops.OnesLike(x=x) + x) + both(
        "ZerosLike", lambda x: tf.raw_ops.ZerosLike(x=x) + x
    )
    cases += [raw("Fill", np.array([2, 3], np.int32), K(np.array(1, t)), id=t) for t in _KINDS]
    cases += [raw("Fill", np.array([2, 3]), _n(dtype=t)) for t in _KINDS]
    cases += [
        raw("Fill", K([2, 0]), np.float32(3), id="empty"),
        raw("Fill", K(_EMPTY), np.float32(3), id="scalar"),
        raw("Fill", np.array([2]), np.float32(3), case=UNKNOWN),
    ]
    cases += [raw("Fill", K([2]), np.complex64(1), case=refused("dtype"))]
    for t in (np.int32, np.int64):
        cases += [
            raw("Range", t(a), t(b), t(c), id=f"{a},{b},{c}")
            for a, b, c in ((0, 5, 1), (1, 8, 3), (5, 0, -2), (3, 3, 1))
        ]
    cases += [
        raw("Range", K(0), np.int32(4), K(1), case=UNKNOWN),
        raw("Range", np.float32(0), np.float32(3), np.float32(1), case=refused("dtype")),
    ]
    cases += [raw("BroadcastTo", _n(3, dtype=t), K([2, 3])) for t in _KINDS]
    cases += [
        raw("BroadcastTo", _n(2, 1), np.array([4, 2, 3], t), case=c)
        for t in ("int32", "int64")
        for c in (None, DYNAMIC, UNKNOWN)
    ]
    cases += [
        raw("BroadcastTo", _n(), K(_EMPTY)),
        raw("BroadcastTo", _n(1), K([0])),
        raw("BroadcastTo", _n(0, 1), _long(0, 3)),
    ]
    cases += [
        raw("BroadcastTo", _COMPLEX, K([2, 2]), case=refused("dtype")),
        held("BroadcastTo", lambda x: tf.broadcast_to(x, (3, 2, 5, 6, 4))),
    ]
    shapes: Any = (([2, 1], [3]), ([1], [2, 3]), ([], [2]), ([0, 1], [1, 4]))
    cases += [raw("BroadcastArgs", np.array(a, t), np.array(b, t)) for a, b in shapes for t in ("int32", "int64")]
    cases += [
        raw("BroadcastArgs", np.array([2]), np.array([1]), case=refused("unknown-dim", **c)) for c in (DYNAMIC, UNKNOWN)
    ]
    return cases


def _pads() -> list[OpCase]:
    pairs = [[1, 2], [0, 1]]
    cases = [raw("Pad", _n(2, 3, dtype=t), K(pairs)) for t in _KINDS]
    cases += [raw("PadV2", _n(2, 3, dtype=t), K(pairs), K(np.array(1, t))) for t in _KINDS]
    cases += [raw("MirrorPad", _n(2, 3, dtype=t), K([[1, 0], [2, 1]]), mode="REFLECT") for t in _KINDS]
    for case in ({}, DYNAMIC, UNKNOWN):
        cases += [raw("Pad", _n(2, 3), np.array(pairs, t), case=case) for t in ("int32", "int64")]
        cases += [raw("Pad", _n(2, 3), K(np.array(pairs)), id="long", case=case)]
        cases += [raw("PadV2", _n(2, 3), K(pairs), np.float32(7), case=case)]
        cases += [raw("PadV2", _n(2, 3), np.array(pairs), np.float32(7), case=case)]
        cases += [raw("MirrorPad", _n(3, 3), np.array(pairs), mode="REFLECT", case=case)]
        cases += [raw("MirrorPad", _n(3, 3), K([[1, 0], [1, 1]]), mode="SYMMETRIC", case=case)]
    cases += [raw("Pad", _n(0, 2), K(pairs)), raw("Pad", _n(1, 1), K([[0, 0], [0, 0]]))]
    cases += [raw("MirrorPad", _n(3, 3), K(pairs), id="wide", mode="SYMMETRIC", case=refused("attribute"))]
    cases += [raw("MirrorPad", _n(3, 3), np.array([[1, 0], [0, 0]]), mode="SYMMETRIC", case=refused("attribute"))]
    cases += [
        raw("Pad", _COMPLEX, K(pairs), case=refused("dtype")),
        raw("PadV2", _COMPLEX, K(pairs), K(np.complex64(0)), case=refused("dtype")),
    ]
    cases += [raw("MirrorPad", _COMPLEX, K([[1, 0], [0, 0]]), mode="REFLECT", case=refused("dtype"))]
    four = [[0, 0], [1, 2], [0, 1], [2, 0]]
    cases += both("Pad", lambda x: tf.pad(x, four)) + both("PadV2", lambda x: tf.pad(x, four, constant_values=2.0))
    cases += both("MirrorPad", lambda x: tf.pad(x, four, "REFLECT"))
    cases += [
        held(
            "Pad",
            lambda x: tf.pad(x, tf.stack([[0, 0], [1, tf.shape(x)[0]], [0, 1], [2, 0]])),
            "computed",
            dynamic=PARTLY,
        )
    ]
    return cases


CASES = [*_shapes(), *_reshapes(), *_orders(), *_joins(), *_fills(), *_pads()]
