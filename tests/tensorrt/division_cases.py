"""Cases of division and remainders."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.math_cases import CASES as MATH
from tests.cases.raw import DYNAMIC, K, both, raw, refused
from tests.tensorrt.reuse import taken

_INTS = ("Div", "FloorDiv", "TruncateDiv", "FloorMod", "Mod", "TruncateMod")
_FLOATS = ("Div", "RealDiv", "DivNoNan", "FloorDiv", "FloorMod", "Mod", "TruncateMod", "TruncateDiv")
_BF16 = tf.bfloat16.as_numpy_dtype
_X, _Y = np.array([7, -7, 7, -7, 0, 6, -6, 5, 2, -2]), np.array([3, 3, -3, -3, 5, 2, 4, -7, np.inf, np.inf])
_UNKNOWN = refused("unknown-rank", unknown_rank=True)


def _ints() -> list[OpCase]:
    cases = []
    for op in _INTS:
        for t in ("int32", "int64"):
            x, y = _X[:8].astype(t), _Y[:8].astype(t)
            cases += [raw(op, x, y), raw(op, x[:, None], y, case=DYNAMIC), raw(op, x[1], K(y[0]))]
            cases += [raw(op, x[:0], K(y[0]), case=DYNAMIC)]
            cases += [raw(op, x[:2], K(np.array([0, 2], t)), case=refused("attribute"))]
        cases += [raw(op, x, x, case=_UNKNOWN)]
    big = np.array([2**40 + 1, -(2**40) - 1])
    return cases + [raw(op, big, np.array([3, 3]), id="big") for op in _INTS]


def _by_vector(op: str, x: Any) -> Any:
    return getattr(tf.raw_ops, op)(x=x * 4.0, y=[0.3, -0.7, 1.0, 2.0])


def _floats() -> list[OpCase]:
    cases: list[OpCase] = []
    for op in _FLOATS:
        types: tuple[Any, ...] = ("f", "float16", _BF16)
        if op in ("Mod", "TruncateMod"):
            types = ("f",)  # TensorFlow has no other kernels
        cases += [raw(op, _X.astype(t), _Y.astype(t), case=DYNAMIC) for t in types]
        cases += [raw(op, np.float32(-7.5), np.float32(2)), raw(op, np.zeros((0, 2), "f"), np.ones((1,), "f"))]
        cases += [raw(op, np.ones((1, 1, 1), "f"), K(np.float32(-0.75)))]
        cases += [
            raw(op, _X.astype("d"), _Y.astype("d"), case=refused("dtype")),
            raw(op, np.ones(2, "f"), np.ones(2, "f"), case=_UNKNOWN),
        ]
        cases += both(op, functools.partial(_by_vector, op), "vector")
    return cases


_R = np.random.default_rng(8)
_FAR, _NEAR = _R.uniform(-1e4, 1e4, 2000).astype("f"), _R.uniform(0.1, 3, 2000).astype("f")

CASES: list[OpCase] = [
    *taken(MATH, {*_INTS, *_FLOATS}),
    *_ints(),
    *_floats(),
    *(raw(op, _FAR, _NEAR, id="large-quotients") for op in ("FloorMod", "Mod", "TruncateMod")),
    *(raw(op, np.arange(-300, 300).astype("f") / 10, K(np.float32(0.1)), id="tenths") for op in ("FloorMod", "Mod")),
]
