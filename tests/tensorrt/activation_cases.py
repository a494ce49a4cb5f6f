"""Cases of activations."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, both, call, raw, refused

_X = np.array([[-3, -1, -0.5], [0, 0.5, 7]], np.float32)

CASES: list[OpCase] = [
    *(
        case
        for op in ("Elu", "LeakyRelu", "Relu", "Relu6", "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh")
        for case in (
            raw(op, _X),
            raw(op, _X.astype(np.float16), case=DYNAMIC),
            raw(op, _X.astype(tf.bfloat16.as_numpy_dtype)),
            raw(op, np.float32(-2)),
            raw(op, np.zeros((0, 3), np.float32)),
            raw(op, np.ones((1, 1, 1, 1, 1), np.float32)),
            *both(op, call(op)),
            raw(op, _X.astype(np.float64), case=refused("dtype")),
            raw(op, _X, case=refused("unknown-rank", unknown_rank=True)),
        )
    ),
    *(raw("Relu", np.array([-2, 3], t), case=DYNAMIC) for t in (np.int32, np.int64)),
    raw("LeakyRelu", _X, alpha=1.5),
    raw("LeakyRelu", _X, alpha=-0.5),
    raw("LeakyRelu", _X, alpha=0.0),
]
