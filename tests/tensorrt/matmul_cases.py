"""Cases of matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, UNKNOWN, K, both, held, raw, refused

_R = np.random.default_rng(31)
_BF16 = tf.bfloat16.as_numpy_dtype
_FLAGS = [(a, b) for a in (False, True) for b in (False, True)]


def _n(*shape: int, dtype: Any = np.float32) -> Any:
    return _R.standard_normal(shape).astype(np.float32).astype(dtype)


def _i(*shape: int, dtype: str = "int32") -> Any:
    return _R.integers(-(2**30), 2**30, shape).astype(dtype)  # sums of products overflow


def _turned(x: Any, turn: bool) -> Any:
    return np.ascontiguousarray(x.swapaxes(-1, -2)) if turn else x


def _matmul() -> list[OpCase]:
    cases: list[OpCase] = []
    for ta, tb in _FLAGS:
        flags: dict[str, Any] = {"transpose_a": ta, "transpose_b": tb}
        a, b = _turned(_n(2, 3), ta), _turned(_n(3, 4), tb)
        large = _turned(_n(3, 40), tb)
        cases += [raw("MatMul", a, b, **flags), raw("MatMul", a, b, **flags, case=DYNAMIC)]
        cases += [raw("MatMul", a, K(large), **flags, id="weight"), raw("MatMul", K(a), large, **flags, id="left")]
        cases += [raw("MatMul", _turned(_i(2, 3), ta), _turned(_i(3, 4), tb), **flags)]
    cases += [raw("MatMul", _n(2, 3, dtype=t), _n(3, 4, dtype=t)) for t in (np.float16, _BF16)]
    cases += [raw("MatMul", _n(2, 3, dtype=t), K(_n(3, 4, dtype=t)), id="weight") for t in (np.float16, _BF16)]
    cases += [raw("MatMul", _i(2, 3, dtype="int64"), _i(3, 4, dtype="int64"), case=c) for c in (None, DYNAMIC)]
    for dtype in ("float32", "int32"):
        for m, k, n in ((0, 3, 4), (2, 0, 4), (1, 1, 1)):
            cases += [raw("MatMul", np.ones((m, k), dtype), np.ones((k, n), dtype))]
    cases += [raw("MatMul", _n(2, 0), _n(0, 4), case=DYNAMIC)]
    cases += [raw("MatMul", _n(2, 3, dtype="float64"), _n(3, 4, dtype="float64"), case=refused("dtype"))]
    cases += [raw("MatMul", np.ones((600, 300), "i4"), np.ones((300, 300), "i4"), case=refused("inefficient"))]
    return cases + both("MatMul", lambda x: tf.matmul(tf.reduce_mean(x, (1, 2)), _n(4, 7)), "pooled", atol=1e-5)


def _batched() -> list[OpCase]:
    cases: list[OpCase] = []
    for ta, tb in _FLAGS:
        flags: dict[str, Any] = {"adj_x": ta, "adj_y": tb}
        x, y = _turned(_n(5, 2, 3), ta), _turned(_n(5, 3, 4), tb)
        cases += [raw("BatchMatMul", x, y, **flags), raw("BatchMatMulV2", x, y, **flags, case=DYNAMIC)]
        cases += [raw("BatchMatMulV3", x, y, Tout=tf.float32, **flags), raw("BatchMatMulV2", x, K(y), **flags)]
        cases += [raw("BatchMatMulV2", x, y[0], **flags, id="unequal", case=c) for c in (None, DYNAMIC)]
        cases += [raw("BatchMatMulV2", x, y[:1], **flags, id="one"), raw("BatchMatMulV2", x[0], K(y), **flags)]
    for t in (np.float16, _BF16):
        cases += [raw(op, _n(2, 2, 3, dtype=t), _n(2, 3, 2, dtype=t)) for op in ("BatchMatMul", "BatchMatMulV2")]
    cases += [raw("BatchMatMulV2", _n(2, 1, 3, 2, 3), _n(4, 1, 3, 4), id="ranks", case=c) for c in (None, DYNAMIC)]
    cases += [raw("BatchMatMulV2", _i(2, 1, 2, 3), _i(3, 3, 4), id="ranks", case=c) for c in (None, DYNAMIC)]
    cases += [raw("BatchMatMul", _i(2, 2, 3, dtype="int64"), _i(2, 3, 4, dtype="int64"))]
    cases += [raw("BatchMatMulV3", _n(0, 2, 3), _n(1, 3, 4), Tout=tf.float32), raw("BatchMatMulV2", _n(2, 3), _n(3, 1))]
    half = [_n(2, 2, 3, dtype=_BF16), _n(2, 3, 2, dtype=_BF16)]
    cases += [
        raw(
            "BatchMatMulV3",
            *half,
            Tout=tf.float32,
            id="widened",
            case={"truth": lambda x, y: tf.matmul(tf.cast(x, tf.float32), tf.cast(y, tf.float32))},
        )
    ]
    cases += [held("BatchMatMulV2", lambda x: tf.matmul(x, _n(4, 3)), atol=1e-5)]
    adjoint = {"atol": 1e-4, "rtol": 1e-4}
    cases += both("BatchMatMulV2", lambda x: tf.matmul(x, x, transpose_b=True), "adjoint", **adjoint)
    cases += [held("BatchMatMulV2", lambda x: tf.matmul(tf.transpose(x, (0, 1, 3, 2)), _n(6, 3)), "turned", atol=1e-5)]
    signed, unsigned = (_R.integers(low, low + 256, (2, 3, 3)).astype(t) for low, t in ((-128, "int8"), (0, "uint8")))
    cases += [raw("BatchMatMulV3", a, b, Tout=tf.int32) for a in (signed, unsigned) for b in (signed, unsigned)]
    cases += [raw("BatchMatMulV3", *half, Tout=tf.float16, case=refused("dtype"))]
    for op, more in (("BatchMatMul", {}), ("BatchMatMulV2", {}), ("BatchMatMulV3", {"Tout": tf.float64})):
        cases += [raw(op, np.ones((1, 2, 2)), np.ones((1, 2, 2)), **more, case=refused("dtype"))]
    for op, more in (("BatchMatMul", {}), ("BatchMatMulV2", {}), ("BatchMatMulV3", {"Tout": tf.int32})):
        cases += [raw(op, _i(1, 2, 3), _i(1, 3, 2), **more, case={**UNKNOWN, **refused("unknown-rank")})]
        deep = np.ones((1, 1, 1, 1, 1, 1, 2, 2), np.int32)
        cases += [raw(op, deep, deep, **more, case=refused("rank"))]
        big = [np.ones((1, 600, 300), "i4"), np.ones((1, 300, 300), "i4")]
        cases += [raw(op, *big, **more, case=refused("inefficient"))]
    return cases


CASES = [*_matmul(), *_batched()]
