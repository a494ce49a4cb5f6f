"""Cases of elementwise ops of one input."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.math_cases import CASES as MATH
from tests.cases.raw import DYNAMIC, both, call, raw, refused
from tests.tensorrt.reuse import taken

_BF16 = tf.bfloat16.as_numpy_dtype
_ANY = (-9.0, -2.5, -1.0, -0.5, 0.0, 0.5, 1.5, 4.0)
_INSIDE = (-0.9, -0.5, 0.0, 0.25, 0.9)
_ABOVE = (1.0, 1.5, 2.0, 9.0)

_POINTS: dict[str, tuple[float, ...]] = {
    **dict.fromkeys(("Abs", "Neg", "Sign", "Floor", "Ceil", "Rint", "Round", "Erf", "Square", "Atan", "Asinh"), _ANY),
    **dict.fromkeys(("Sin", "Cos", "IsNan", "IsInf", "IsFinite"), _ANY),
    **dict.fromkeys(("Exp", "Expm1", "Sinh", "Cosh", "Tan"), (-3.0, -1.0, -0.1, 0.0, 0.1, 1.25, 4.0)),
    **dict.fromkeys(("Asin", "Acos", "Atanh", "Log1p"), _INSIDE),
    **dict.fromkeys(("Log", "Sqrt", "Rsqrt", "Reciprocal", "Inv", "Acosh"), _ABOVE),
}
"""Where each op is tried in every type."""
_NO_BF16 = ("Rint",)  # TensorFlow has no such kernel on the CPU
_NO_F16 = ("Rint",)
_SMALL = np.array([1e-9, -1e-9, 1e-5, -1e-5, 0.3, -0.3, 0.4999, 0.5, -0.5, 0.999, -0.999, 2, 30, -0.0, 0, np.nan], "f")


def _points() -> list[OpCase]:
    cases = []
    for op, points in _POINTS.items():
        x = np.array(points, "f")
        cases += [raw(op, x.reshape(-1, 1), case=DYNAMIC, id="points"), raw(op, x[-1], id="scalar")]
        cases += [raw(op, np.zeros((0, 3), "f"), case=DYNAMIC), raw(op, np.ones((1, 1, 1, 1), "f"))]
        if op not in _NO_F16:
            cases += [raw(op, x.astype("float16"), id="points")]
        if op not in _NO_BF16:
            cases += [raw(op, x.astype(_BF16), id="points")]
        cases += [
            raw(op, x.astype("float64"), case=refused("dtype")),
            raw(op, x, case=refused("unknown-rank", unknown_rank=True)),
        ]
    return cases


def _held(op: str) -> list[OpCase]:
    return both(op, lambda x: call(op)(tf.abs(x) / 20.0 + 0.1), "positive")


_ints: list[Any] = [np.array([-7, 0, 3], t) for t in ("int32", "int64")]

CASES: list[OpCase] = [
    *taken(MATH, (*_POINTS, "LogicalNot", "Invert"), frozenset({"float32", "float16", "int32", "int64", "bool"})),
    *taken(MATH, ("Invert",), frozenset({"int8", "uint8"})),
    *_points(),
    *(case for op in ("Exp", "Square", "Rsqrt", "Expm1", "Log1p", "IsFinite", "Asin") for case in _held(op)),
    *(raw(op, x, case=DYNAMIC) for op in ("Abs", "Neg", "Sign", "Square", "Invert") for x in _ints),
    *(raw(op, _SMALL, case={"atol": 0.0}) for op in ("Expm1", "Log1p")),
    raw("Expm1", np.array([-np.inf, -30, 80, np.inf], "f"), id="ends"),
    raw("Log1p", np.array([-1, -2, 1e30, np.inf], "f"), id="ends"),
    raw("LogicalNot", np.array([[True], [False]]), case=DYNAMIC),
    raw("LogicalNot", np.array(True)),
    raw("LogicalNot", np.zeros((0, 2), bool)),
    raw("LogicalNot", np.array([True]), case=refused("unknown-rank", unknown_rank=True)),
    raw("Invert", np.array([1], "int16"), case=refused("dtype")),
    raw("Invert", np.array([1], "int32"), case=refused("unknown-rank", unknown_rank=True)),
]
