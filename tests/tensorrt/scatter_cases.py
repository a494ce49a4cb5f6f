"""Cases of putting by index."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.indexing_cases import CASES as SHARED
from tests.cases.raw import DYNAMIC, UNKNOWN, K, raw, refused
from tests.tensorrt.reuse import taken
from tfgraft.converters.tensorrt.context import ALL, NUMERIC

_R = np.random.default_rng(6)
_REDUCING = ("TensorScatterAdd", "TensorScatterSub", "TensorScatterMax", "TensorScatterMin")
_BF16 = tf.bfloat16.as_numpy_dtype
_X = _R.integers(-9, 9, (4, 3, 2)).astype("f")
_ONCE = np.array([[3], [0]], "int32")
_OFTEN = np.array([[3, 0], [1, 2], [3, 0], [3, 0], [0, 1], [1, 2]], "int32")
_SAME = np.ones((11, 1), "int32")
_MANY = np.zeros((4097, 1), "int32")
_EACH = np.arange(4097, dtype="int32")[:, None]
_DEEP: Any = {"dynamic": ((None, None, None), (None, 2), (None, None))}


def _u(*shape: int, dtype: Any = "float32") -> Any:
    return _R.integers(-9, 9, shape).astype(dtype)


def _tensor_scatters() -> list[OpCase]:
    cases: list[OpCase] = []
    for op in ("TensorScatterUpdate", *_REDUCING):
        reducing = op in _REDUCING
        at = _OFTEN if reducing else _OFTEN[[0, 1, 4]]
        updates = _u(len(at), 2)
        cases += [raw(op, _X, at, updates), raw(op, _X, at.astype("int64"), updates, case=_DEEP)]
        cases += [raw(op, _X, K(at), updates, id=f"constant-{len(case)}", case=case) for case in ({}, DYNAMIC)]
        cases += [raw(op, _X.astype(_BF16), at, updates.astype(_BF16)), raw(op, _X, K(_ONCE), _u(2, 3, 2), id="rows")]
        cases += [
            raw(op, _X, at.reshape(-1, 1, 2), updates.reshape(-1, 1, 2), id="more"),
            raw(op, _X, at[:0], updates[:0]),
        ]
        cases += [
            raw(op, _X.astype("float64"), at, updates.astype("float64"), case=refused("dtype")),
            raw(op, _X, at, updates, case=refused("unknown-rank", **UNKNOWN)),
            raw(op, _X, at, updates, case=refused("unknown-dim", **DYNAMIC)),
            raw(op, _X, at, updates, bad_indices_policy="IGNORE", case=refused("attribute")),
        ]
        if reducing:
            cases += [
                raw(op, _X[:, 0, 0], K(_SAME), _u(11), id="constant-loop"),
                raw(op, _X[:1], _SAME * 0, _u(11, 3, 2)),
            ]
            cases += [raw(op, _X[0], _MANY, _u(4097, 2), case=refused("inefficient"))]
    return cases


def _scatter_nds() -> list[OpCase]:
    op = "ScatterNd"
    cases = [
        raw(op, K(_OFTEN), _u(6, 2, dtype=t), K([4, 3, 2]), id="constant")
        for t in (*sorted(NUMERIC - {"bfloat16"}), _BF16)
    ]
    cases += [raw(op, at, _u(len(at), 2), K([4, 3, 2])) for at in (_OFTEN, _OFTEN[:1], _OFTEN[:0])]
    cases += [raw(op, at, _u(len(at)) > 0, K([5])) for at in (_ONCE, _SAME)]
    cases += [raw(op, K(_EACH), _u(4097), K([4097]), id="each")]
    cases += [
        raw(op, _OFTEN, _u(6, 2), np.array([4, 3, 2], "int32"), case={"dynamic": ((None, 2), (None, None), (3,))})
    ]
    by_shape = lambda x, at, u: tf.scatter_nd(at, u, tf.shape(x))  # noqa: E731
    cases += [OpCase("by-shape", op, by_shape, [_X, _OFTEN, _u(6, 2)], dynamic=((None, None, 2), (None, 2), (None, 2)))]
    return [
        *cases,
        raw(op, _ONCE, _u(2, dtype="float64"), K([5]), case=refused("dtype")),
        raw(op, _ONCE, _u(2), K([5]), case=refused("unknown-rank", **UNKNOWN)),
        raw(op, _ONCE, _u(2), K([5]), case=refused("unknown-dim", dynamic=((None, None), (None,)))),
        raw(op, _ONCE, _u(2), K([5]), bad_indices_policy="IGNORE", case=refused("attribute")),
        raw(op, _MANY, _u(4097), K([5]), case=refused("inefficient")),
        raw(op, K(_MANY), _u(4097), K([5]), case=refused("inefficient")),
    ]


CASES: list[OpCase] = [
    *(c for c in taken(SHARED, ("ScatterNd", "TensorScatterUpdate", "TensorScatterAdd"), ALL) if not c.dynamic),
    *_tensor_scatters(),
    *_scatter_nds(),
]
