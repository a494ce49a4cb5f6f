"""Small graphs for the engine `xla`, and what was put in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfgraft.graph.functions import MUST_COMPILE

v1 = tf.compat.v1
SHAPE = (2, 8, 8, 3)


def image(seed: int = 0, batch: int = 2) -> Any:
    """Return values for `x` of `conv_net`."""
    return np.random.default_rng(seed).random((batch, *SHAPE[1:]), np.float32)


def conv_net() -> None:
    """Add convolutions, a pool and a product with `x` of any batch; the output is `out`."""
    random = np.random.default_rng(1)
    x = v1.placeholder(tf.float32, [None, 8, 8, 3], "x")
    kernel = tf.constant(random.standard_normal((3, 3, 3, 16), np.float32), name="kernel")
    h = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME", name="conv") + random.random(16).astype("f"))
    h = tf.nn.max_pool2d(h, 2, 2, "VALID")
    h = tf.reshape(h, [tf.shape(h)[0], 4 * 4 * 16], name="flat")  # a shape that is computed of shapes
    weights = tf.constant(random.standard_normal((256, 10), np.float32), name="weights")
    tf.nn.softmax(tf.matmul(h, weights, name="product"), name="out")


def calls(nodes: Any) -> list[Any]:
    """Return the calls that XLA must compile among some NodeDefs."""
    return [node for node in nodes if MUST_COMPILE in node.attr and node.attr[MUST_COMPILE].b]
