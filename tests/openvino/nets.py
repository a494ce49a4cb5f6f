"""A small net that the tests of several engines graft."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
RNG = np.random.default_rng(0)
NET = ["map:0", "scores:0", "best:0", "positive:0"]
"""What `conv_net` computes."""


def conv_net(rows: int | None = None) -> None:
    """Add a small convolutional net over images of any size, with float, int and bool results."""
    image = v1.placeholder(tf.float32, [None, rows, rows, 3], "x")
    kernel = tf.constant(RNG.standard_normal((3, 3, 3, 32)).astype(np.float32))
    y = tf.nn.relu(tf.nn.conv2d(image, kernel, 1, "SAME") + tf.constant(RNG.standard_normal(32).astype(np.float32)))
    y = tf.nn.max_pool2d(y, 2, 2, "SAME")
    tf.identity(y, name="map")
    y = tf.matmul(tf.reduce_mean(y, [1, 2]), tf.constant(RNG.standard_normal((32, 10)).astype(np.float32)))
    tf.identity(tf.nn.softmax(y), name="scores")
    tf.identity(tf.argmax(y, 1), name="best")
    tf.identity(y > 0, name="positive")


def images(*sizes: tuple[int, int]) -> list[dict[str, Any]]:
    return [{"x:0": RNG.standard_normal((n, side, side, 3)).astype(np.float32)} for n, side in sizes]
