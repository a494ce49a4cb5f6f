"""Elementwise arithmetic, comparisons, logic, selection, casts."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, UNKNOWN, K, both, call, held, raw, refused

_R = np.random.default_rng(0)
_FLOATS = ("float16", "float32", "float64")
_WIDE = ("float32", "float64")
_NARROW = ("float16", "float32")
_INTS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_SIGNED = ("int8", "int16", "int32", "int64")
_NAN, _INF = np.nan, np.inf
_ODD = [_NAN, _INF, -_INF, 0.0, -0.0]


def _real(dtype: str, low: float = -3.0, high: float = 3.0, shape: tuple[int, ...] = (2, 3, 5)) -> Any:
    return _R.uniform(low, high, shape).astype(dtype)


def _ints(dtype: str, shape: tuple[int, ...] = (3, 4), low: int | None = None, high: int | None = None) -> Any:
    info = np.iinfo(dtype)
    return _R.integers(info.min if low is None else low, info.max if high is None else high, shape, dtype, True)


def _types(op: str) -> tuple[str, ...]:
    return _WIDE if op == "Rint" else _FLOATS  # TensorFlow has no float16 Rint on the CPU


def _unary() -> list[OpCase]:
    anywhere = (
        *("Neg", "Abs", "Exp", "Sin", "Cos", "Sigmoid", "Tanh", "Square", "Sign"),
        *("Floor", "Ceil", "Round", "Rint", "IsNan", "IsInf", "IsFinite"),
    )
    cases = [raw(op, _real(t)) for op in anywhere for t in _types(op)]
    odd = [op for op in anywhere if op not in ("Sin", "Cos")]
    cases += [raw(op, np.array(_ODD, t), id="odd") for op in odd for t in _types(op)]
    narrow = {
        "Erf": (-3, 3), "Tan": (-1.4, 1.4), "Asin": (-1, 1), "Acos": (-1, 1), "Atan": (-9, 9), "Sinh": (-4, 4),
        "Cosh": (-4, 4), "Asinh": (-9, 9), "Acosh": (1, 9), "Atanh": (-0.9, 0.9),
    }  # fmt: skip
    cases += [raw(op, _real(t, *bounds)) for op, bounds in narrow.items() for t in _NARROW]
    cases += [raw(op, _real("float64", *b), case=refused("dtype")) for op, b in narrow.items()]
    positive = ("Log", "Sqrt", "Rsqrt", "Reciprocal", "Inv")
    cases += [raw(op, _real(t, 0.1, 9)) for op in positive for t in _FLOATS]
    cases += [raw(op, np.array(_ODD, t), id="odd") for op in positive for t in _FLOATS]
    small = [1e-9, -1e-9, 1e-5, -1e-5, 0.3, -0.3, 0.999, -0.999, 2, 30, -0.0, 0, _NAN, _INF]
    for op in ("Expm1", "Log1p"):
        cases += [raw(op, np.array(small, t), case={"atol": 0.0}) for t in _WIDE]
        cases += [raw(op, _real("float16", 0, 2), case=refused("dtype"))]
    cases += [raw("Expm1", np.array([-_INF, -1, -30, 100], t), id="far") for t in _WIDE]
    cases += [raw("Log1p", np.array([-1, -2, 1e30], t), id="far") for t in _WIDE]
    cases += [raw(op, _ints(t)) for op in ("Abs", "Neg", "Sign") for t in _SIGNED]
    cases += [raw("Square", _ints(t)) for t in _INTS]
    cases += [raw("Round", _ints(t), case=refused("dtype")) for t in ("int32", "int64")]
    cases += [raw("Invert", _ints(t)) for t in _INTS]
    cases += [raw("Round", np.array([0.5, 1.5, 2.5, -0.5, -1.5], t), id="half") for t in _FLOATS]
    cases += [raw("LogicalNot", np.array([True, False]))]
    shapes: list[tuple[int, ...]] = [(), (0,), (2, 0, 3), (1, 1)]
    cases += [raw(op, _real("float32", shape=s)) for op in ("Exp", "Square", "Rsqrt", "Expm1", "IsInf") for s in shapes]
    cases += [raw(op, _real("float32"), case=c) for op in ("Exp", "Square", "Sign") for c in (DYNAMIC, UNKNOWN)]
    complex_ = np.array([1 + 2j], np.complex64)
    cases += [raw(op, complex_, case=refused("dtype")) for op in ("Exp", "Square", "Neg", "Tanh", "Sigmoid", "Sqrt")]
    cases += both("Rsqrt", lambda x: tf.math.rsqrt(tf.abs(x) + 1.0)) + both("Tanh", tf.tanh)
    return cases


_SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((2, 3), (2, 3)),
    ((2, 1, 4), (3, 1)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((0, 3), (3,)),
    ((1,), (1, 1)),
]


def _after_abs(op: str) -> Any:
    return lambda x: call(op, y=[1.0, 2, 3, 4])(tf.abs(x))


def _binary() -> list[OpCase]:
    cases = []
    for op in ("AddV2", "Sub", "Mul", "Maximum", "Minimum", "SquaredDifference", "RealDiv", "Pow"):
        low = 0.1 if op == "Pow" else -3
        cases += [raw(op, _real(t, low), _real(t, low)) for t in _FLOATS]
        cases += [raw(op, _real("float32", low, shape=a), _real("float32", low, shape=b)) for a, b in _SHAPES]
        cases += [raw(op, _real("float32", low), _real("float32", low), case=c) for c in (DYNAMIC, UNKNOWN)]
        cases += [held(op, _after_abs(op))]
    cases += [raw("Add", _real(t), _real(t)) for t in _FLOATS]
    cases += [raw(op, _ints(t), _ints(t)) for op in ("AddV2", "Sub", "Mul") for t in _INTS]
    cases += [raw("Add", _ints(t), _ints(t)) for t in ("int8", "int16", "int32", "int64", "uint8")]
    cases += [raw(op, _ints(t), _ints(t)) for op in ("Maximum", "Minimum") for t in _INTS]
    cases += [raw("SquaredDifference", _ints(t), _ints(t)) for t in ("int32", "int64")]
    for op in ("Maximum", "Minimum"):
        cases += [raw(op, np.array(_ODD, t), np.array([1, 1, 1, _NAN, 2], t), id="odd") for t in _FLOATS]
    cases += [raw("Pow", _real("float32"), K(np.float32(e)), id=str(e)) for e in (2, 3, -1)]
    cases += [raw("Pow", _ints("int32", low=0, high=3), _ints("int32", low=0, high=3), case=refused("dtype"))]
    for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
        cases += [raw(op, _ints(t), _ints(t)) for t in _INTS]
    cases += [raw("LeftShift", _ints(t), K(np.array(s, t)), id=str(s)) for t in _INTS for s in (0, 3, 6)]
    unsigned = [t for t in _INTS if t.startswith("u")]
    cases += [raw("RightShift", _ints(t), K(np.array([0, 1, 5, 7], t)), id="vector") for t in unsigned]
    cases += [raw("LeftShift", _ints("int32"), _ints("int32", low=0, high=9), case=refused("not-constant"))]
    cases += [raw("RightShift", _ints("int32"), K(2), case=refused("dtype"))]
    cases += [raw("RightShift", _ints("uint8"), _ints("uint8", low=0, high=7), case=refused("not-constant"))]
    zeros = np.array([0, 1, 0, 2, 0], "f")
    others = np.array([_NAN, 2, _INF, 0, 0], "f")
    for t in _FLOATS:
        a, b = zeros.astype(t), others.astype(t)
        cases += [raw("DivNoNan", b, a), raw("MulNoNan", b, a), raw("Xdivy", a, b), raw("Xlogy", a, b)]
    cases += [raw("Xlog1py", zeros.astype(t), others.astype(t)) for t in _WIDE]
    cases += [raw("Xlog1py", zeros.astype("float16"), others.astype("float16"), case=refused("dtype"))]
    cases += [raw("DivNoNan", _real("float32"), K(2.5, "float32"), id="constant")]
    cases += [held("DivNoNan", lambda x: tf.math.divide_no_nan(x, [0.0, 1, 2, 0]))]
    around = np.array([0.0, -0.0, 1.5, -1.5, 1e-3, -40], "f")
    cases += [raw("Atan2", around[:, None].astype(t), around.astype(t)) for t in _NARROW]
    cases += [raw("Atan2", _real("float64"), _real("float64"), case=refused("dtype"))]
    for n in (1, 2, 4):
        cases += [raw("AddN", [_real("float32") for _ in range(n)], id=str(n)), raw("AddN", [_ints("int32")] * n)]
    cases += both("AddN", lambda x: tf.raw_ops.AddN(inputs=[x, x * 2.0, x]))
    for t in ("float16", "float32", "float64", "int8", "int32", "int64", "uint8", "uint16", "int16"):
        cases += [raw("ClipByValue", _real(t, 0, 9), K(np.array(1, t)), K(np.array(6, t)))]
    full, least = _real("float32"), np.full((2, 3, 5), -1, "f")
    cases += [
        raw("ClipByValue", full, least, least + 2, id="full"),
        raw("ClipByValue", full, K(-1, "float32"), least + 2),
    ]
    cases += both("AddV2", lambda x: x + tf.constant(np.arange(24, dtype="f").reshape(6, 4)), "matrix")
    cases += both("Mul", lambda x: x * tf.reduce_mean(x, (1, 2), keepdims=True), "gate")
    cases += both("ClipByValue", lambda x: tf.raw_ops.ClipByValue(t=x, clip_value_min=0.0, clip_value_max=0.5))
    cases += [raw("ClipByValue", full, K(1, "float32"), K(-1, "float32"), id="crossed")]
    cases += [raw("ClipByValue", full, least + 2, least, id="crossed")]
    return cases


def _division() -> list[OpCase]:
    cases = []
    pairs = np.array([7, -7, 7, -7, 0, 6, -6, 5.5]), np.array([3, 3, -3, -3, 5, 2, 4, -1.25])
    for op in ("Div", "FloorDiv", "FloorMod", "Mod", "TruncateMod"):
        types = _FLOATS if op not in ("Mod", "TruncateMod") else _WIDE
        cases += [raw(op, pairs[0].astype(t), pairs[1].astype(t), case={"atol": 5e-3} if t == "float16" else None)
                  for t in types]  # fmt: skip
        cases += [raw(op, pairs[0].astype("f"), K(np.float32(2.5)), id="positive")]
    for op in ("Div", "FloorDiv", "TruncateDiv", "FloorMod", "Mod", "TruncateMod"):
        wide = ("int32", "int64")
        for t in wide if op in ("Mod", "TruncateMod") else (*wide, "int8", "int16", "uint8", "uint16"):
            x = np.append(_ints(t, (9,)), [np.iinfo(t).min, np.iinfo(t).max]).astype(t)
            cases += [raw(op, x, K(np.array(3, t)), id="3"), raw(op, x[:3], K(np.array([7, 2, 5], t)), id="vector")]
            if not t.startswith("u"):
                cases += [raw(op, x, K(np.array(-3, t)), id="-3"), raw(op, x[:2], K(np.array([7, -2], t)), id="mixed")]
        x, y = _ints("int32", low=-9, high=9), _ints("int32", low=1, high=9)
        cases += [raw(op, x, y, case=refused("not-constant"))]
        cases += [raw(op, x, K(-1), case=refused("attribute"))]
    cases += [raw("FloorDiv", _ints("int32", low=0, high=90), K(4), case=DYNAMIC)]
    cases += [held("FloorDiv", lambda x: x // 0.3), held("FloorMod", lambda x: x % [0.3, -0.3, 1.0, 2.0])]
    return cases


def _compare() -> list[OpCase]:
    cases = []
    for op in ("Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual"):
        cases += [raw(op, _ints(t, low=0, high=3), _ints(t, low=0, high=3)) for t in _INTS]
        cases += [raw(op, np.array(_ODD, t), np.array([_NAN, _INF, 0, -0.0, 1], t)) for t in _FLOATS]
        cases += [raw(op, _real("float32", shape=a), _real("float32", shape=b)) for a, b in _SHAPES]
        cases += [raw(op, _real("float32"), _real("float32"), case=c) for c in (DYNAMIC, UNKNOWN)]
        cases += [held(op, call(op, y=[0.0, 1, -1, 0.5]))]
    flags = np.array([True, False, True])
    for op in ("Equal", "NotEqual"):
        cases += [raw(op, flags, ~flags[::-1]), raw(op, flags, K(np.array(False)), incompatible_shape_error=False)]
        cases += [raw(op, _real("float32", shape=(2,)), _real("float32", shape=(3,)), incompatible_shape_error=False,
                      case=refused("attribute"))]  # fmt: skip
        cases += [raw(op, flags, flags, incompatible_shape_error=False, case=refused("attribute", dynamic=True))]
    for op in ("LogicalAnd", "LogicalOr"):
        cases += [raw(op, np.array([[True], [False]]), np.array([True, False])), raw(op, flags, flags, case=UNKNOWN)]
    return cases


def _select() -> list[OpCase]:
    cases = []
    cond = np.array([[True, False, True], [False, False, True]])
    for t in (*_FLOATS, *_INTS, "bool"):
        x = _ints("int8", (2, 3), 0, 9).astype(t)
        y = (_ints("int8", (2, 3), 0, 9) * 0 + 1).astype(t)
        cases += [raw("SelectV2", cond, x, y), raw("Select", cond, x, y)]
    x, y = _real("float32", shape=(2, 3)), _real("float32", shape=(2, 3))
    cases += [
        raw("SelectV2", cond[:, :1], x, y[:1]),
        raw("SelectV2", np.array(True), x, y),
        raw("SelectV2", cond, x[0, 0], y),
    ]
    cases += [raw("SelectV2", cond, x, K(np.float32(0)), case=c) for c in (DYNAMIC, UNKNOWN)]
    cases += [raw("SelectV2", cond[:0], x[:0], y[:0]), raw("Select", np.array(False), x, y)]
    cases += [raw("Select", cond[:, 0], x, y, id="rows"), raw("Select", cond[:, 0], x, y, id="rows", case=DYNAMIC)]
    cases += [
        raw("Select", cond[0], x[0], y[0]),
        raw("Select", cond, x, y, case=refused("unknown-rank", unknown_rank=True)),
    ]
    cases += [held("Select", lambda x: tf.raw_ops.Select(condition=tf.constant([True, False]), x=x, y=-x), "rows")]
    cases += both("SelectV2", lambda x: tf.where(x > 0.0, x, 0.1))
    cases += both("SelectV2", lambda x: tf.where(tf.constant([True, False, False, True]), x, x * 2.0), "channels")
    return cases


def _cast() -> list[OpCase]:
    whole = np.array([0, 1, 5, 100, 127])
    kinds = (*_FLOATS, *_INTS, "bool")
    cases = [raw("Cast", whole.astype(a), DstT=tf.as_dtype(b), id=b) for a in kinds for b in kinds]
    fractions = np.array([0.0, 0.5, -0.5, 1.9, -1.9, 100.99, -100.99])
    cases += [raw("Cast", fractions.astype(a), DstT=tf.as_dtype(b), id=b) for a in _FLOATS for b in (*_SIGNED, "bool")]
    wrap = np.array([0, -1, 127, 128, 255, 256, -129, 65535, 2**31, -(2**63), 2**63 - 1], np.int64)
    cases += [raw("Cast", wrap, DstT=tf.as_dtype(b), id=f"wrap-{b}") for b in _INTS]
    cases += [raw("Cast", np.array([_NAN, _INF, 0], a), DstT=tf.bool, id="odd") for a in _FLOATS]
    cases += [raw("Cast", np.array([_NAN, _INF, 1e30, -1e30], "f"), DstT=tf.int32, id="outside")]
    cases += [raw("Cast", np.float32(2.7), DstT=tf.int64), raw("Cast", np.zeros((0, 2), "f"), DstT=tf.int32)]
    cases += [raw("Cast", whole, DstT=tf.float32, case=c) for c in (DYNAMIC, UNKNOWN)]
    cases += [raw("Cast", _real("float64"), DstT=tf.float32, Truncate=True, case=refused("attribute"))]
    cases += [raw("Cast", _real("float32"), DstT=tf.complex64, case=refused("dtype"))]
    cases += [OpCase("constant", "Cast", lambda x: x * tf.cast(tf.constant(3), tf.float32), [_real("float32")])]
    return cases + both("Cast", lambda x: tf.cast(x * 10.0, tf.int32))


CASES = [*_unary(), *_binary(), *_division(), *_compare(), *_select(), *_cast()]
