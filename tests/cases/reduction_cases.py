"""Reductions, arg-reductions, running sums, matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, PARTLY, UNKNOWN, K, both, call, held, raw, refused

_R = np.random.default_rng(3)
_FLOATS = ("float16", "float32", "float64")
_INTS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_LONG = K(np.array(1))


def _n(*shape: int, dtype: str = "float32") -> Any:
    return (_R.standard_normal(shape) * 2).astype(dtype)


def _i(*shape: int, dtype: str = "int32", low: int = -100, high: int = 100) -> Any:
    return _R.integers(max(low, np.iinfo(dtype).min), high, shape).astype(dtype)


def _reductions() -> list[OpCase]:
    cases = []
    for op in ("Sum", "Prod", "Mean", "Max", "Min", "EuclideanNorm"):
        cases += [raw(op, _n(2, 3, 4, dtype=t), K([0, -1]), id="ends") for t in _FLOATS]
        for axes in ([], [1], [-1, 0], [0, 1, 2], 2):
            for keep in (False, True):
                cases += [raw(op, _n(2, 3, 4), K(np.array(axes, np.int32)), id=str(axes), keep_dims=keep)]
        cases += [raw(op, _n(2, 3), _LONG, id="long", case=c) for c in (None, DYNAMIC, UNKNOWN)]
        cases += [raw(op, _n(0, 3), K([1])), raw(op, _n(1, 1), K([0])), raw(op, _n(), K(np.zeros(0, np.int32)))]
        cases += [raw(op, _n(2, 3), np.array([0]), case=refused("not-constant"))]
        if op != "Mean":
            cases += [raw(op, _n(0, 3), K([0]), id="nothing")]
        for axes in ([1, 2], [3], [0, -1], []):
            for keep in (False, True):
                build = call(op, axis=np.array(axes, np.int32), keep_dims=keep)
                cases += [held(op, build, f"{axes}-{keep}", rtol=1e-4, atol=1e-5)]
        cases += [held(op, call(op, axis=[1, 2]), "dynamic", dynamic=PARTLY, atol=1e-4)]
    for op in ("Sum", "Prod", "Max", "Min"):
        cases += [
            raw(op, _i(3, 4, dtype=t), K([1])) for t in _INTS if (op, t) not in (("Max", "uint64"), ("Min", "uint64"))
        ]
    cases += [raw(op, _i(3, 4, dtype="uint64"), K([1]), case=refused("dtype")) for op in ("Max", "Min")]
    cases += [raw(op, _i(3, 4), K([1]), case=refused("dtype")) for op in ("Mean", "EuclideanNorm")]
    nans = np.array([[1, np.nan, 2], [np.inf, -np.inf, 0]], "f")
    cases += [raw(op, nans, K([a]), id=f"nan-{a}") for op in ("Sum", "Mean") for a in (0, 1)]
    flags = np.array([[True, True], [False, True], [False, False]])
    for op in ("All", "Any"):
        cases += [raw(op, flags, K([a]), id=str(a), keep_dims=k) for a in (0, 1) for k in (False, True)]
        cases += [
            raw(op, flags, K(np.zeros(0, np.int32))),
            raw(op, flags[:0], K([0])),
            raw(op, flags, K([0, 1]), case=DYNAMIC),
        ]
        cases += [raw(op, flags, np.array(0), case=refused("not-constant"))]
        cases += [held(op, _of_signs(op))]
    cases += both(
        "Mean", lambda x: tf.nn.conv2d(tf.reduce_mean(x, (1, 2), keepdims=True), np.ones((1, 1, 4, 2), "f"), 1, "SAME")
    )
    complex_ = np.ones((2, 2), np.complex64)
    cases += [raw(op, complex_, K([0]), case=refused("dtype")) for op in ("Sum", "Prod", "Mean")]
    return cases


def _of_signs(op: str) -> Any:
    return lambda x: call(op, axis=[1, 3])(x > 0.0)


def _arg_reductions() -> list[OpCase]:
    cases = []
    for op in ("ArgMax", "ArgMin"):
        kinds = (*_FLOATS, *(t for t in _INTS if t != "uint64"))
        cases += [raw(op, (_n(4, 5) * 9).astype(t), K(1)) for t in kinds]
        cases += [raw(op, np.array([[3, 1, 3], [1, 1, 0]], "f"), K(a), id=f"ties-{a}") for a in (0, 1, -1)]
        cases += [raw(op, np.array([[True, False], [False, False]]), K(1))]
        cases += [raw(op, _n(2, 3), K(1), output_type=t) for t in (tf.int32, tf.int64)]
        cases += [raw(op, _n(0, 3), K(1)), raw(op, _n(4), K(0)), raw(op, _n(2, 3), _LONG)]
        cases += [raw(op, _n(2, 3, 4), K(-2), case=c) for c in (DYNAMIC, UNKNOWN)]
        cases += [raw(op, _n(2, 3), np.array(1), case=refused("not-constant"))]
        cases += [raw(op, _i(2, 3, dtype="uint64"), K(1), case=refused("dtype"))]
        cases += both(op, call(op, dimension=3))
        cases += [held(op, call(op, dimension=1, output_type=tf.int32), "height")]
    cases += [raw("ArgMax", _n(2, 3), K(1), output_type=t) for t in (tf.int16, tf.uint16)]
    return cases


def _cumsum() -> list[OpCase]:
    kinds = (*_FLOATS, *_INTS)
    cases = [raw("Cumsum", _n(3, 4, dtype=t) if t in _FLOATS else _i(3, 4, dtype=t), K(1)) for t in kinds]
    flags = [(e, r) for e in (False, True) for r in (False, True)]
    for a in (0, -1):
        cases += [raw("Cumsum", _n(2, 3, 4), K(a), id=str(a), exclusive=e, reverse=r) for e, r in flags]
    cases += [raw("Cumsum", _n(2, 3), _LONG, case=c) for c in (None, DYNAMIC, UNKNOWN)]
    cases += [raw("Cumsum", _n(0, 3), K(0)), raw("Cumsum", _n(2, 3), np.array(0), case=refused("not-constant"))]
    cases += [raw("Cumsum", np.ones(3, np.complex64), K(0), case=refused("dtype"))]
    return cases + both("Cumsum", lambda x: tf.cumsum(x, 2)) + both("Cumsum", lambda x: tf.cumsum(x, -1), "last")


def _matmul() -> list[OpCase]:
    cases: list[OpCase] = []
    kinds = (*_FLOATS, "int32", "int64")
    for ta in (False, True):
        for tb in (False, True):
            a, b = (_n(3, 2) if ta else _n(2, 3)), (_n(4, 3) if tb else _n(3, 4))
            flags: dict[str, Any] = {"transpose_a": ta, "transpose_b": tb}
            cases += [raw("MatMul", a, b, **flags), raw("MatMul", a, K(b), **flags, id="weight")]
            cases += [raw("MatMul", a, b, **flags, case=c) for c in (DYNAMIC, UNKNOWN)]
            big = _n(40, 3) if tb else _n(3, 40)
            cases += [
                raw("MatMul", a, K(big), **flags, id="large-weight"),
                raw("MatMul", K(a), big, **flags, id="left-weight"),
            ]
            adjoint: dict[str, Any] = {"adj_x": ta, "adj_y": tb}
            x, y = (_n(5, 3, 2) if ta else _n(5, 2, 3)), (_n(5, 4, 3) if tb else _n(5, 3, 4))
            for op in ("BatchMatMul", "BatchMatMulV2"):
                cases += [raw(op, x, y, **adjoint), raw(op, x, y, **adjoint, case=DYNAMIC), raw(op, x, K(y), **adjoint)]
                known = {} if not (ta or tb) else refused("unknown-rank")
                cases += [raw(op, x, y, **adjoint, case={**UNKNOWN, **known})]
            cases += [raw("BatchMatMulV3", x, y, Tout=tf.float32, **adjoint)]
            cases += [
                raw("BatchMatMulV2", x, y[:1], **adjoint, id="broadcast"),
                raw("BatchMatMulV2", x, y[0], **adjoint),
            ]
    for t in kinds:
        a, b = (_n(2, 3, dtype=t), _n(3, 4, dtype=t)) if t in _FLOATS else (_i(2, 3, dtype=t), _i(3, 4, dtype=t))
        cases += [raw("MatMul", a, b), raw("BatchMatMulV2", a[None], b[None])]
    cases += [raw("MatMul", _n(0, 3), _n(3, 4)), raw("MatMul", _n(2, 0), _n(0, 4)), raw("MatMul", _n(1, 1), _n(1, 1))]
    bytes_ = _i(1, 2, 3, dtype="int8")
    cases += [raw("BatchMatMulV3", bytes_, bytes_.swapaxes(1, 2), Tout=tf.int32, case=refused("dtype"))]
    cases += [raw(op, np.ones((1, 2, 2), np.complex64), np.ones((1, 2, 2), np.complex64), case=refused("dtype"))
              for op in ("BatchMatMul", "BatchMatMulV2")]  # fmt: skip
    cases += [raw("MatMul", np.ones((2, 2), np.complex64), np.ones((2, 2), np.complex64), case=refused("dtype"))]
    cases += both("MatMul", lambda x: tf.matmul(tf.reduce_mean(x, (1, 2)), _n(4, 7)), "pooled", atol=1e-5)
    cases += [held("BatchMatMulV2", lambda x: tf.matmul(x, _n(4, 3)), atol=1e-5)]
    cases += [held("BatchMatMulV2", lambda x: tf.matmul(x, x, transpose_b=True), "adjoint", atol=1e-4, rtol=1e-4)]
    cases += [
        OpCase(f"heads-{d}", "BatchMatMulV2", _attention, [_n(2, 5, 6), _n(2, 5, 6)], rtol=1e-4, atol=1e-5, dynamic=d)
        for d in (False, True)
    ]
    return cases


def _attention(q: Any, k: Any) -> Any:
    """Split into heads by reshapes with computed shapes, and multiply queries by keys."""

    def heads(x: Any) -> Any:
        shape = tf.shape(x)
        return tf.transpose(tf.reshape(x, tf.stack([shape[0], shape[1], 2, 3])), (0, 2, 1, 3))

    scores = tf.matmul(heads(q), heads(k), transpose_b=True)
    mixed = tf.transpose(tf.matmul(scores, heads(k)), (0, 2, 1, 3))
    shape = tf.shape(mixed)
    return tf.reshape(mixed, tf.stack([shape[0], shape[1], 6]))


_SIZES = dict(zip("abcdefbn", (2, 3, 4, 5, 6, 7, 3, 4), strict=True))
_EQUATIONS = (
    *("abc,cd->abd", "abc,cde->abde", "abcd,cde->abe", "aecd,abcd->acbe", "acbe,aecd->abcd", "ab,bc->ac", "ab,ab->ab"),
    *(
        "ab,bc->ca",
        "abc,abd->acd",
        "ab,cb->ac",
        "a,b->ab",
        "ab,c->abc",
        "abc,cd->adb",
        "ab->ba",
        "ab->a",
        "abc,ad->abd",
    ),
    *("cd,abc->abd", "ab,a->b", "abcd,cdef->abef", "abcd,bcde->ae", "abc,dbc->ad"),
)


def _einsum() -> list[OpCase]:
    cases = []
    for equation in _EQUATIONS:
        operands = [_n(*(_SIZES[c] for c in labels)) for labels in equation.split("->")[0].split(",")]
        near: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}
        cases += [raw("Einsum", operands, equation=equation, case=near)]
        cases += [raw("Einsum", operands, equation=equation, case={**near, **DYNAMIC})]
        if len(operands) == 2:
            cases += [
                raw("Einsum", [operands[0], K(operands[1])], id="weight", equation=equation, case={**near, **DYNAMIC})
            ]
            cases += [raw("Einsum", [K(operands[0]), operands[1]], id="left", equation=equation, case=near)]
    cases += [raw("Einsum", [_n(2, 3, dtype=t), _n(3, 4, dtype=t)], id=t, equation="ab,bc->ac") for t in _FLOATS]
    cases += [raw("Einsum", [_i(2, 3, dtype=t), _i(3, 4, dtype=t)], equation="ab,bc->ac") for t in ("int32", "int64")]
    cases += [raw("Einsum", [_n(2, 3), _n(3, 4)], equation="ab,bc->ac", id="any", case={**UNKNOWN})]
    cases += [
        raw("Einsum", [_n(0, 3), _n(3, 4)], equation="ab,bc->ac"),
        raw("Einsum", [_n(2, 0), _n(0, 4)], equation="ab,bc->ac"),
    ]
    for equation in ("...ab,bc->...ac", "aa->a"):
        operands = [_n(2, 2)] if equation == "aa->a" else [_n(5, 2, 3), _n(3, 4)]
        cases += [raw("Einsum", operands, equation=equation, case=refused("attribute"))]
    cases += [raw("Einsum", [np.ones((2, 2), np.complex64)], equation="ab->ba", case=refused("dtype"))]
    return cases + both("Einsum", lambda x: tf.einsum("abcd,de->abce", x, _n(4, 3)), atol=1e-5)


CASES = [*_reductions(), *_arg_reductions(), *_cumsum(), *_matmul(), *_einsum()]
