"""Cases of reductions."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, PARTLY, UNKNOWN, K, both, call, held, raw, refused

_R = np.random.default_rng(34)
_BF16 = tf.bfloat16.as_numpy_dtype
_NONE = K(np.zeros(0, np.int32))


def _n(*shape: int, dtype: Any = np.float32) -> Any:
    return (_R.standard_normal(shape) * 2).astype(np.float32).astype(dtype)


def _i(*shape: int, dtype: str = "int32") -> Any:
    return _R.integers(-100, 100, shape).astype(dtype)


def _arithmetic(op: str) -> list[OpCase]:
    cases = [raw(op, _n(2, 3, 4, dtype=t), K([0, -1]), case=c) for t in (np.float16, _BF16) for c in (None, DYNAMIC)]
    for axes, keep in (([], False), ([1], True), ([-1, 0], False), ([0, 1, 2], False), ([2, 0, 1], True), (2, False)):
        cases += [raw(op, _n(2, 3, 4), K(np.array(axes, np.int32)), id=str(axes), keep_dims=keep)]
    for t in ("int32", "int64"):
        cases += [raw(op, _i(3, 4, dtype=t), K([1]), case=c) for c in (None, DYNAMIC)]
        cases += [raw(op, _i(3, 4, dtype=t), K([-2, 1]), keep_dims=True), raw(op, _i(3, 4, dtype=t), _NONE, id="none")]
    cases += [raw(op, _n(2, 3), K(np.array(1)), id="long", case=DYNAMIC), raw(op, _n(), _NONE)]
    cases += [raw(op, _n(0, 3), K([a]), id=f"empty-{a}", case=c) for a in (0, 1) for c in (None, DYNAMIC)]
    cases += [raw(op, _n(1, 1), K([0])), raw(op, _n(1, 2, 1, 1, 1, 3), K([1, 5]))]
    cases += [raw(op, np.array([[1, 2], [np.inf, -np.inf]], np.float32), K([a]), id=f"inf-{a}") for a in (0, 1)]
    if op in ("Sum", "Mean", "Prod"):
        cases += [raw(op, np.array([[1, np.nan], [3, 4]], np.float32), K([1]), id="nan")]
    if op in ("Max", "Min"):
        for t in ("int8", "uint8"):
            cases += [raw(op, _R.integers(0, 100, (3, 4)).astype(t), K([1])), raw(op, np.zeros((0, 3), t), K([0]))]
    if op != "Mean":
        cases += [raw(op, _i(0, 3, dtype=t), K([0]), id="nothing") for t in ("int32", "int64")]
    for on, keep in (([1, 2], False), ([1, 2], True), ([3], True), ([0, -1], False)):
        build = call(op, axis=np.array(on, np.int32), keep_dims=keep)
        cases += [held(op, build, f"{on}-{keep}", rtol=1e-4, atol=1e-5)]
    cases += [held(op, call(op, axis=[1, 2]), "dynamic", dynamic=PARTLY, atol=1e-4)]
    return cases + _refused(op, _n(2, 3), _n(2, 3, dtype=np.float64))


def _logic(op: str) -> list[OpCase]:
    flags = np.array([[True, True], [False, True], [False, False]])
    cases = [raw(op, flags, K([a]), id=str(a), keep_dims=k) for a in (0, -1) for k in (False, True)]
    cases += [raw(op, flags, K([0, 1]), case=c) for c in (None, DYNAMIC)]
    cases += [raw(op, flags, _NONE, id="none"), raw(op, flags[0, 0], _NONE), raw(op, flags[:1, :1], K([1]))]
    cases += [raw(op, flags[:0], K([a]), id=f"empty-{a}", case=c) for a in (0, 1) for c in (None, DYNAMIC)]
    cases += both(op, lambda x: call(op, axis=[1, 3])(x > 0.0))
    return cases + _refused(op, flags, None)


def _refused(op: str, x: Any, wide: Any) -> list[OpCase]:
    cases = [
        raw(op, x, np.array([0]), case=refused("not-constant")),
        raw(op, x, K([0]), case={**UNKNOWN, **refused("unknown-rank")}),
    ]
    return cases if wide is None else [*cases, raw(op, wide, K([0]), case=refused("dtype"))]


CASES = [
    *(case for op in ("Sum", "Mean", "Max", "Min", "Prod") for case in _arithmetic(op)),
    *(case for op in ("All", "Any") for case in _logic(op)),
]
