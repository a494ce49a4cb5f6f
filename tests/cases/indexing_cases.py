"""Slices, splits, gathers, scatters, one-hot, and ops that find indices."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, PARTLY, UNKNOWN, K, both, call, held, raw, refused

_R = np.random.default_rng(5)
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
_COMPLEX = np.ones((2, 2), np.complex64)
_X = np.arange(60, dtype="f").reshape(3, 4, 5)


def _n(*shape: int, dtype: str = "float32") -> Any:
    return _R.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)


def _at(*shape: int, top: int, dtype: str = "int32") -> Any:
    return _R.integers(0, top, shape).astype(dtype)


def _slices() -> list[OpCase]:
    cases = [raw("Slice", _n(3, 4, dtype=t), K([1, 0]), K([-1, 2])) for t in _KINDS]
    for case in ({}, DYNAMIC, UNKNOWN):
        cases += [raw("Slice", _X, K([0, 1, 2]), K([-1, 2, 3]), id="constant", case=case)]
        cases += [
            raw("Slice", _X, np.array([0, 1, 2], t), np.array([-1, 2, 3], t), case=case) for t in ("int32", "int64")
        ]
        cases += [raw("Slice", _X, np.array([0, 1, 2]), K(np.array([2, 2, 2])), case=case)]
        cases += [raw("Slice", _X, K(np.array([0, 1, 2])), np.array([2, -1, 2]), id="size", case=case)]
    cases += [
        raw("Slice", _X, K([0, 0, 0]), K([3, 4, 5]), id="all"),
        raw("Slice", _X, K([0, 0, 0]), K([0, 1, 1]), id="none"),
    ]
    cases += [raw("Slice", np.float32(1), K(np.zeros(0, np.int32)), K(np.zeros(0, np.int32)))]
    cases += [raw("Slice", _COMPLEX, K([0, 0]), K([1, 1]), case=refused("dtype"))]
    cases += both("Slice", lambda x: tf.slice(x, (0, 1, 0, 2), (-1, 3, -1, 2)))
    cases += [
        held(
            "Slice",
            lambda x: tf.slice(x, (0, 1, 0, 0), tf.stack([2, tf.shape(x)[1] - 2, 3, 4])),
            "computed",
            dynamic=PARTLY,
        )
    ]
    return cases


_ITEMS: tuple[tuple[str, Any], ...] = (
    ("[1]", lambda x: x[1]),
    ("[-1]", lambda x: x[-1]),
    ("[:, -1]", lambda x: x[:, -1]),
    ("[1, 2]", lambda x: x[1, 2]),
    ("[1, 2, -1]", lambda x: x[1, 2, -1]),
    ("[1:]", lambda x: x[1:]),
    ("[:-1, 1:3]", lambda x: x[:-1, 1:3]),
    ("[::2, ::-1]", lambda x: x[::2, ::-1]),
    ("[:, 3:0:-2]", lambda x: x[:, 3:0:-2]),
    ("[:, -1:-9:-1]", lambda x: x[:, -1:-9:-1]),
    ("[9:, :99]", lambda x: x[9:, :99]),
    ("[..., 1]", lambda x: x[..., 1]),
    ("[..., 1:3]", lambda x: x[..., 1:3]),
    ("[1, ..., -2:]", lambda x: x[1, ..., -2:]),
    ("[None]", lambda x: x[None]),
    ("[:, None, 1]", lambda x: x[:, None, 1]),
    ("[..., None]", lambda x: x[..., None]),
    ("[None, 0, ..., None, 1]", lambda x: x[None, 0, ..., None, 1]),
    ("[2:1]", lambda x: x[2:1]),
    ("[:]", lambda x: x[:]),
)


def _strided() -> list[OpCase]:
    op = "StridedSlice"
    cases = []
    for id, item in _ITEMS:
        for flags in ({}, DYNAMIC, UNKNOWN):
            code = refused("unknown-rank") if flags is UNKNOWN and "..." in id else {}
            cases += [OpCase(f"{id}{''.join(flags)}", op, item, [_X], **flags, **code)]
        cases += [held(op, item, id)]
    cases += [OpCase(f"{t}", op, lambda x: x[1:, 0], [_n(3, 4, dtype=t)]) for t in _KINDS]
    # Bounds that are computed; the strides too, since they are packed as the bounds are.
    two = np.int32(2)
    computed: tuple[tuple[str, Any], ...] = (
        ("i", lambda x, i: x[i]),
        (":, -i", lambda x, i: x[:, -i]),
        ("i:", lambda x, i: x[i:]),
        (":i, 1", lambda x, i: x[:i, 1]),
        ("i, 1 - i", lambda x, i: x[i, 1 - i]),
        ("i, :, i", lambda x, i: x[i, :, i]),
        (":i, i:, -i", lambda x, i: x[:i, i:, -i]),
        (":, i::-1", lambda x, i: x[:, i::-1]),
        ("..., i", lambda x, i: x[..., i]),
        ("None, :i, ..., i", lambda x, i: x[None, :i, ..., i]),
    )
    for id, item in computed:
        cases += [OpCase(f"computed-{id}-{dynamic}", op, item, [_X, two], dynamic=dynamic) for dynamic in (False, True)]
    cases += [OpCase("long", op, lambda x, i: x[:i], [_X, np.int64(2)])]
    three = K(np.array([1, 1, 1]))
    fed = np.array([0, 1, 0]), np.array([3, 3, 4])
    cases += [raw(op, _X, fed[0], fed[1], three, case=c) for c in (None, UNKNOWN)]
    cases += [raw(op, _X, fed[0], fed[1], three, begin_mask=1, end_mask=2, case=c) for c in (None, UNKNOWN)]
    steps = np.array([1, -1, 2])
    cases += [
        raw(op, _X, fed[0], fed[1], steps, begin_mask=b, end_mask=e, shrink_axis_mask=1)
        for b, e in ((7, 0), (0, 7), (2, 2), (6, 6))
    ]
    cases += [raw(op, _X, *fed, steps, case=refused("unknown-dim", **c)) for c in (DYNAMIC, UNKNOWN)]
    cases += [raw(op, _COMPLEX, K([0]), K([1]), K([1]), case=refused("dtype"))]
    cases += [OpCase("empty", op, lambda x: x[:, 1], [_n(0, 3)]), OpCase("one", op, lambda x: x[0:1], [_n(1, 1)])]
    cases += both(op, lambda x: x[:, ::2, 1:-1, ::-1]) + both(op, lambda x: x[:, 0, :, None, 1], "mixed")
    cases += [held(op, lambda x: x[:, : tf.shape(x)[1] - 1], "computed", dynamic=PARTLY)]
    return cases


def _splits() -> list[OpCase]:
    cases = [raw("Split", K(1), _n(2, 4, dtype=t), num_split=2) for t in _KINDS]
    cases += [raw("Split", K(-1), _n(2, 6), num_split=n, case=c) for n in (1, 3) for c in (None, DYNAMIC, UNKNOWN)]
    cases += [
        raw("Split", K(0), _n(0, 4), num_split=2),
        raw("Split", np.int32(0), _n(2), num_split=2, case=refused("not-constant")),
    ]
    cases += [raw("Split", K(0), _COMPLEX, num_split=2, case=refused("dtype"))]
    cases += [*both("Split", lambda x: tf.split(x, 2, 3)), held("Split", lambda x: tf.split(x, 3, 2), "width")]
    for sizes in ([1, 3, 2], [2, -1], [6], [0, 6]):
        cases += [raw("SplitV", _n(2, 6), K(sizes), K(1), id=str(sizes), num_split=len(sizes))]
        code = refused("unknown-dim") if -1 in sizes else {}
        for c in (DYNAMIC, UNKNOWN):
            fields = {**c, **code}
            cases += [
                raw("SplitV", _n(2, 6), K(np.array(sizes)), K(-1), id=str(sizes), num_split=len(sizes), case=fields)
            ]
    cases += [raw("SplitV", _n(2, 4, dtype=t), K([1, 3]), K(1), num_split=2) for t in _KINDS]
    cases += [raw("SplitV", _n(4), np.array([1, 3]), K(0), num_split=2, case=refused("not-constant"))]
    cases += [raw("SplitV", _COMPLEX, K([1, 1]), K(0), num_split=2, case=refused("dtype"))]
    cases += both("SplitV", lambda x: tf.split(x, [1, 3], 3))
    for axis in (0, 1, -1):
        cases += [raw("Unpack", _n(3, 3), num=3, axis=axis, case=c) for c in (None, DYNAMIC, UNKNOWN)]
        cases += [held("Unpack", call("Unpack", num=(2, 5, 6, 4)[axis], axis=axis), str(axis))]
    cases += [raw("Unpack", _n(1, 2, dtype=t), num=1) for t in _KINDS] + [raw("Unpack", _n(2, 0), num=2)]
    cases += [raw("Unpack", _COMPLEX, num=2, case=refused("dtype"))]
    cases += [raw("ReverseV2", _n(3, 4, dtype=t), K([1])) for t in _KINDS]
    cases += [raw("ReverseV2", _X, K(np.array([0, -1])), case=c) for c in (None, DYNAMIC, UNKNOWN)]
    cases += [raw("ReverseV2", _n(0, 3), K([0])), raw("ReverseV2", _n(2), K(np.zeros(0, np.int32)))]
    cases += [
        raw("ReverseV2", _n(2), np.array([0]), case=refused("not-constant")),
        raw("ReverseV2", _COMPLEX, K([0]), case=refused("dtype")),
    ]
    return cases + both("ReverseV2", lambda x: tf.reverse(x, (1, 3)))


def _gathers() -> list[OpCase]:
    cases = [raw("GatherV2", _n(4, 3, dtype=t), _at(2, top=3), K(0)) for t in _KINDS]
    cases += [raw("GatherV2", _n(4, 3), _at(2, top=3, dtype=t), K(0)) for t in ("int16", "int64")]
    for axis in (0, 1, -1):
        for shape in ((), (2,), (2, 3)):
            cases += [raw("GatherV2", _X, _at(*shape, top=3), K(axis), id=str(axis))]
            cases += [held("GatherV2", call("GatherV2", indices=_at(*shape, top=2), axis=axis), f"{axis}-{shape}")]
    cases += [raw("GatherV2", _X, _at(2, top=3), K(np.array(1)), case=c) for c in (DYNAMIC, UNKNOWN)]
    cases += [
        raw("GatherV2", _X, K([0, 2]), K(1)),
        raw("GatherV2", K(_n(40, 4)), _at(2, 3, top=40), K(0), id="embedding"),
    ]
    cases += [raw("GatherV2", K(_n(40, 4)), _at(2, 3, top=40, dtype="int16"), K(0), id="embedding-short", case=DYNAMIC)]
    cases += [raw("GatherV2", _n(0, 3), np.zeros(0, np.int32), K(0)), raw("GatherV2", _n(2, 0), _at(2, top=2), K(0))]
    batched = _at(3, 2, top=4)
    cases += [raw("GatherV2", _X, batched, K(1), batch_dims=1, case=c) for c in (None, DYNAMIC, UNKNOWN)]
    cases += [
        raw("GatherV2", _X, batched, K(-2), id="back", batch_dims=-1),
        raw("GatherV2", _X[..., 0], _at(3, top=4), K(1), batch_dims=1),
    ]
    cases += [raw("GatherV2", _X, _at(3, 4, 2, top=5, dtype=t), K(2), batch_dims=2) for t in ("int32", "int64")]
    cases += [raw("GatherV2", _X, batched, K(2), id="beyond", batch_dims=1, case=refused("attribute"))]
    cases += [
        raw("GatherV2", _X, batched, K(-2), id="back", batch_dims=b, case=refused("unknown-rank", **UNKNOWN))
        for b in (1, -1)
    ]
    cases += [raw("GatherV2", _X, _at(2, top=3), np.int32(0), case=refused("not-constant"))]
    cases += [raw("GatherV2", _COMPLEX, _at(2, top=2), K(0), case=refused("dtype"))]
    cases += [raw("Gather", _n(4, 3, dtype=t), _at(2, top=3)) for t in _KINDS]
    cases += [raw("Gather", _X, _at(2, 2, top=3, dtype="int64"), case=c) for c in (None, DYNAMIC, UNKNOWN)]
    cases += [raw("Gather", _COMPLEX, _at(2, top=2), case=refused("dtype"))]
    cases += both("Gather", call("Gather", indices=[1, 0]))
    cases += [raw("GatherNd", _n(4, 3, dtype=t), _at(5, 2, top=3)) for t in _KINDS]
    cases += [
        raw("GatherNd", _X, _at(2, 2, top=3, dtype=t), case=c)
        for t in ("int32", "int64")
        for c in (None, DYNAMIC, UNKNOWN)
    ]
    cases += [
        raw("GatherNd", _X, _at(2, top=3)),
        raw("GatherNd", _X, _at(0, 2, top=3)),
        raw("GatherNd", _X, _at(2, 2, 1, top=3, dtype="int16")),
    ]
    cases += [raw("GatherNd", _COMPLEX, _at(2, 1, top=2), case=refused("dtype"))]
    cases += [raw("GatherNd", _X, _at(2, 2, top=3), bad_indices_policy="IGNORE", case=refused("attribute"))]
    cases += [held("GatherNd", lambda x: tf.gather_nd(x, [[0, 1], [1, 2]]))]
    return cases


def _scatters() -> list[OpCase]:
    at = np.array([[3], [0], [3]], np.int32)
    cases = [raw("ScatterNd", at, _n(3, dtype=t), K([5])) for t in _KINDS if t != "bool"]
    cases += [raw("ScatterNd", at, _n(3, dtype="bool"), K([5]), case=refused("dtype"))]
    cases += [
        raw("ScatterNd", at.astype(t), _n(3, 2), np.array([5, 2], t), case=c)
        for t in ("int32", "int64")
        for c in (None, DYNAMIC, UNKNOWN)
    ]
    cases += [
        raw("ScatterNd", at[:0], _n(0, 2), K([5, 2])),
        raw("ScatterNd", at, _n(3), K([5]), bad_indices_policy="IGNORE", case=refused("attribute")),
    ]
    for op in ("TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub", "TensorScatterMax", "TensorScatterMin"):
        plain = [t for t in _KINDS if t != "bool"]
        places = at if op != "TensorScatterUpdate" else at[1:]
        cases += [raw(op, _n(5, dtype=t), places, _n(len(places), dtype=t)) for t in plain]
        cases += [
            raw(op, _n(5, 2), places.astype("int64"), _n(len(places), 2), case=c) for c in (None, DYNAMIC, UNKNOWN)
        ]
        cases += [raw(op, K(_n(5, 90)), places, _n(len(places), 90), id="weight"), raw(op, _n(5), places[:0], _n(0))]
        ones = np.ones(5, np.complex64)
        cases += [raw(op, ones, at[:1], ones[:1], case=refused("dtype"))]
        cases += [raw(op, _n(5), places, _n(len(places)), bad_indices_policy="IGNORE", case=refused("attribute"))]
        cases += [held(op, call(op, indices=[[1]], updates=_n(1, 5, 6, 4)))]
    cases += [raw("TensorScatterUpdate", _n(5, dtype="bool"), at[:1], _n(1, dtype="bool"))]
    return cases


def _finders() -> list[OpCase]:
    indices = np.array([[0, 2], [-1, 5]])
    cases = []
    for t in _KINDS:
        cases += [raw("OneHot", indices, K(3), K(np.array(1, t)), K(np.array(0, t)), id=t)]
        cases += [raw("OneHot", indices, K(3), K(np.array(0, t)), K(np.array(1, t)), id=f"{t}-other")]
    cases += [
        raw("OneHot", abs(indices).astype(t), K(3), np.float32(5), np.float32(-5)) for t in ("uint8", "int8", "int32")
    ]
    for axis in (-1, 0, 1):
        cases += [
            raw("OneHot", indices, K(4), K(1, "float32"), K(0, "float32"), axis=axis, case=c) for c in (None, DYNAMIC)
        ]
        code = {} if axis == -1 else refused("unknown-rank")
        cases += [raw("OneHot", indices, K(4), K(1, "float32"), K(0, "float32"), axis=axis, case={**UNKNOWN, **code})]
        kinds = ("int32", "int64", "uint8") if axis == 0 else ("int32", "int64")
        cases += [
            raw("OneHot", indices.astype(t), np.int32(4), K(1.0, "float32"), K(0.0, "float32"), axis=axis)
            for t in kinds
        ]
    cases += [
        raw("OneHot", np.int32(1), K(3), K(1), K(0)),
        raw("OneHot", indices[:0], K(3), K(1), K(0)),
        raw("OneHot", indices, K(0), K(1), K(0)),
    ]
    cases += [raw("OneHot", indices, K(2), np.complex64(1), np.complex64(0), case=refused("dtype"))]

    cases += [raw("Where", (_n(3, 4, dtype="uint8") % 3).astype(t)) for t in _KINDS if t != "float16"]
    cases += [raw("Where", np.array([np.nan, 0, -0.0, 1, np.inf], t), id="odd") for t in ("float32", "float64")]
    cases += [
        raw("Where", np.array([[True, False]]), case=DYNAMIC),
        raw("Where", _n(0, 2)),
        raw("Where", np.zeros((2, 2), "f"), id="none"),
    ]
    cases += [
        raw("Where", np.array([True]), case=refused("unknown-rank", **UNKNOWN)),
        raw("Where", np.array(True), case=refused("rank")),
    ]
    cases += [raw("Where", _COMPLEX, case=refused("dtype")), *both("Where", lambda x: tf.where(x > 0.0))]

    order = np.array([2, 0, 3, 1])
    cases += [
        raw("InvertPermutation", order.astype(t), case=c) for t in ("int32", "int64") for c in (None, DYNAMIC, UNKNOWN)
    ]
    cases += [raw("InvertPermutation", order[:0])]
    banded = ("float16", "float32", "float64", "int32", "int64", "bool")
    cases += [raw("MatrixBandPart", _n(3, 4, dtype=t), K(1), K(0)) for t in banded]
    cases += [raw("MatrixBandPart", _n(2, 4, 3), K(a), K(b), id=f"{a},{b}") for a in (-1, 0, 2) for b in (-1, 0, 1)]
    cases += [
        raw("MatrixBandPart", _n(3, 3), K(np.array(0)), K(np.array(-1)), id="long", case=c) for c in (DYNAMIC, UNKNOWN)
    ]
    cases += [raw("MatrixBandPart", _n(3, 3), np.array(0), np.array(-1), case=refused("not-constant"))]
    cases += [raw("MatrixBandPart", _n(3, 3, dtype="int8"), K(0), K(1), case=refused("dtype"))]
    return cases


CASES = [*_slices(), *_strided(), *_splits(), *_gathers(), *_scatters(), *_finders()]
