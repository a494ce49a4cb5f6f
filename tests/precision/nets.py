"""A small trained-looking net, and data for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.graph.models import function

_R = np.random.default_rng(0)


def _weights(*shape: int) -> Any:
    fan_in = int(np.prod(shape[:-1]))
    return tf.constant((_R.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32))


def images(count: int, seed: int = 0, batch: int = 4) -> list[np.ndarray]:
    """Return batches of smooth images, float32, (batch, 16, 16, 3)."""
    random = np.random.default_rng(seed)
    return [random.uniform(-1, 1, (batch, 16, 16, 3)).astype(np.float32) for _ in range(count)]


def residual_net() -> Any:
    """Return a function of an image: convolutions with scales, a residual sum, a pool, a product; ten outputs."""
    k1, k2, k3, k4 = _weights(3, 3, 3, 8), _weights(3, 3, 8, 8), _weights(3, 3, 8, 8), _weights(8, 10)
    scale, bias = tf.constant(_R.uniform(0.5, 1.5, 8).astype(np.float32)), _weights(8)

    @function(tf.TensorSpec((None, 16, 16, 3), tf.float32, name="x"))
    def net(x: Any) -> Any:
        y = tf.nn.relu(tf.nn.conv2d(x, k1, 1, "SAME") * scale + bias)
        z = tf.nn.relu(tf.nn.conv2d(y, k2, 1, "SAME") * scale + bias)
        z = tf.nn.conv2d(z, k3, 1, "SAME") + bias
        y = tf.nn.max_pool2d(tf.nn.relu(y + z), 2, 2, "SAME")
        return tf.matmul(tf.reduce_mean(y, (1, 2)), k4)

    return net


def error(want: Any, got: Any) -> float:
    """Return the relative L2 error."""
    want, got = np.asarray(want), np.asarray(got)
    return float(np.linalg.norm(want - got) / np.linalg.norm(want))
