"""Cases of Einsum."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, UNKNOWN, K, both, raw, refused

_R = np.random.default_rng(32)
_SIZES = dict(zip("abcdefAB", (2, 3, 4, 5, 6, 7, 2, 3), strict=True))
_NEAR: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}
_EQUATIONS = (
    # one operand
    *("ab->ba", "ab->a", "abc->", "aa->a", "aba->b", "aaa->a", "abb->ba", "aabb->ab"),
    # products of matrices
    *("ab,bc->ac", "ab,bc->ca", "ab,cb->ac", "ba,bc->ac", "abc,cd->abd", "abc,cd->adb", "cd,abc->abd", "ab,b->a"),
    *("b,ab->a", "abc,cde->abde", "abcd,cde->abe", "abc,abd->acd", "aecd,abcd->acbe", "acbe,aecd->abcd"),
    *("abcd,cdef->abef", "abcd,bcde->ae", "abc,dbc->ad", "abc,acde->abde", "abc,bc->a", "AB,Bc->Ac", "abc,ade->"),
    # neither
    *("ab,ab->ab", "a,b->ab", "ab,c->abc", "a,a->", "abc,ad->abd", "ab,a->b", ",a->a", "aa,ab->ab", "aab,bc->ac"),
)
_WITH_ELLIPSIS: tuple[tuple[str, tuple[tuple[int, ...], ...]], ...] = (
    ("...ab->...ba", ((5, 2, 3),)),
    ("a...->...", ((2, 3, 4),)),
    ("...ab,bc->...ac", ((5, 6, 2, 3), (3, 4))),
    ("...ab,bc->...ac", ((2, 3), (3, 4))),
    ("...ab,...bc->...ac", ((5, 2, 3), (3, 4))),
    ("...ab,...bc->...ac", ((5, 1, 2, 3), (6, 3, 4))),
    ("...ab,...b->...a", ((2, 1, 3, 4), (2, 5, 4))),
    ("a...,a...->a...", ((2, 3), (2, 4, 1))),
)


def _n(*shape: int, dtype: Any = np.float32) -> Any:
    return _R.standard_normal(shape).astype(np.float32).astype(dtype)


def _cases() -> list[OpCase]:
    cases = []
    for i, equation in enumerate(_EQUATIONS):
        operands = [_n(*(_SIZES[c] for c in labels)) for labels in equation.split("->")[0].split(",")]
        cases += [raw("Einsum", operands, equation=equation, case={**_NEAR, **(DYNAMIC if i % 2 else {})})]
    for equation in ("abc,cd->abd", "abcd,cde->abe", "ab,a->b", "abc,cde->abde", "aa,ab->ab"):
        left, right = (_n(*(_SIZES[c] for c in labels)) for labels in equation.split("->")[0].split(","))
        cases += [raw("Einsum", [left, K(right)], id="weight", equation=equation, case={**_NEAR, **DYNAMIC})]
        cases += [raw("Einsum", [K(left), right], id="left", equation=equation, case=_NEAR)]
    for equation, shapes in _WITH_ELLIPSIS:
        operands = [_n(*shape) for shape in shapes]
        cases += [raw("Einsum", operands, equation=equation, case={**_NEAR, **c}) for c in ({}, DYNAMIC)]
    for t in (np.float16, tf.bfloat16.as_numpy_dtype):
        cases += [raw("Einsum", [_n(2, 3, dtype=t), _n(3, 4, dtype=t)], equation="ab,bc->ac")]
    for t in ("int32", "int64"):
        operands = [_R.integers(-9, 9, s).astype(t) for s in ((5, 2, 3), (3, 4))]
        cases += [raw("Einsum", operands, equation="...ab,bc->...ac", case=c) for c in (None, DYNAMIC)]
        cases += [raw("Einsum", operands[:1], equation="abc->cb")]
    for shapes in (((0, 3), (3, 4)), ((2, 0), (0, 4)), ((1, 1), (1, 1))):
        cases += [raw("Einsum", [_n(*s) for s in shapes], equation="ab,bc->ac", case=c) for c in (None, DYNAMIC)]
    cases += [raw("Einsum", [_n(0, 0)], equation="aa->a"), raw("Einsum", [_n(2, 0, 3)], equation="abc->ca")]
    cases += both("Einsum", lambda x: tf.einsum("abcd,de->abce", x, _n(4, 3)), atol=1e-5)
    cases += both("Einsum", lambda x: tf.einsum("abcd->cb", x), "sum", atol=1e-5)
    cases += [raw("Einsum", [_n(3)], equation="a->aa", case=refused("attribute"))]
    cases += [
        raw("Einsum", [_n(1, 1, 1, 1, 2), _n(1, 2, 1, 2)], equation="abcde,fghi->abcdefghi", case=refused("rank"))
    ]
    cases += [raw("Einsum", [np.ones((2, 2))], equation="ab->ba", case=refused("dtype"))]
    cases += [
        raw("Einsum", [_n(2, 3), _n(3, 4)], equation="ab,bc->ac", case={**UNKNOWN, **refused("unknown-rank")}),
        raw(
            "Einsum",
            [np.ones((600, 300), "i4"), np.ones((300, 300), "i4")],
            equation="ab,bc->ac",
            case=refused("inefficient"),
        ),
    ]
    return cases


CASES = _cases()
