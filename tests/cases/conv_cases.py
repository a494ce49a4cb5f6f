"""Convolutions."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase

_R = np.random.default_rng(0)
_X = _R.standard_normal((2, 9, 8, 6), np.float32)
_K = _R.standard_normal((3, 3, 6, 4), np.float32)

CASES = [
    OpCase("same", "Conv2D", lambda x: tf.nn.conv2d(x, _K, 1, "SAME"), [_X]),
    OpCase(
        "chain",
        "Conv2D",
        lambda x: tf.nn.conv2d(
            tf.nn.leaky_relu(tf.nn.relu(tf.nn.conv2d(x, _K, 2, "SAME")), 0.1),
            _R.standard_normal((1, 1, 4, 3)).astype("f"),
            1,
            "VALID",
        ),
        [_X],
        dynamic=True,
    ),
    OpCase("kernel-fed", "Conv2D", lambda x, k: tf.nn.conv2d(x, k, 1, "VALID"), [_X, _K], refusal="not-constant"),
]
