"""Cases of Softmax and LogSoftmax."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, UNKNOWN, both, call, held, raw, refused

_R = np.random.default_rng(33)
_X = (_R.standard_normal((2, 3, 5)) * 3).astype(np.float32)
_FAR = np.array([[1000, 0, -1000, 999], [-3e4, -3e4, -3e4, -3e4], [0, -np.inf, 1, 2]], np.float32)


def _of(op: str) -> list[OpCase]:
    return [
        raw(op, _X),
        raw(op, _X, case=DYNAMIC),
        raw(op, _X[0, 0]),
        raw(op, _X[0, 0], case=DYNAMIC),
        raw(op, _X[0]),
        raw(op, _X.reshape(1, 2, 1, 3, 5, 1)),
        raw(op, _X[:1, :1, :1]),
        raw(op, _X[:0]),
        raw(op, _X[:0], case=DYNAMIC),
        raw(op, _FAR, id="far"),
        *(raw(op, _X.astype(t), case=c) for t in (np.float16, tf.bfloat16.as_numpy_dtype) for c in (None, DYNAMIC)),
        *both(op, call(op)),
        held(op, lambda x: call(op)(tf.transpose(x, (0, 3, 1, 2))), "turned"),
        raw(op, _X.astype(np.float64), case=refused("dtype")),
        raw(op, _X, case={**UNKNOWN, **refused("unknown-rank")}),
    ]


def _log_sum_exp() -> list[OpCase]:
    forms = {"last": {"axis": -1}, "all": {}, "keep": {"axis": [0, 1], "keepdims": True}}
    return [
        OpCase(
            f"log-sum-exp-{len(x)}-{name}-{dynamic}",
            "Log",
            lambda x, f=form: tf.reduce_logsumexp(x, **f),
            [x],
            dynamic=dynamic,
        )
        for x in (_X, _FAR)
        for name, form in forms.items()
        for dynamic in (False, True)
    ]


CASES = [*_of("Softmax"), *_of("LogSoftmax"), *_log_sum_exp()]
