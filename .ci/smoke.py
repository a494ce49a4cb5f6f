"""Optimize a small graph with the installed distribution and compare; run outside the checkout."""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

import tfgraft
import tfgraft.runtime

if "site-packages" not in Path(tfgraft.__file__).parts:
    sys.exit(f"error: tfgraft was imported from {tfgraft.__file__}, not from the environment")

random = np.random.default_rng(0)
kernel = tf.constant(random.normal(size=(3, 3, 3, 8)), tf.float32)
bias = tf.constant(random.normal(size=8), tf.float32)


@tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 3], tf.float32, name="image")])
def model(image: tf.Tensor) -> tf.Tensor:
    """Two layers and a pooling: something for an engine to take."""
    x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(image, kernel, 1, "SAME"), bias))
    return tf.reduce_mean(tf.nn.max_pool2d(x, 2, 2, "VALID"), [1, 2])


image = tf.constant(random.normal(size=(2, 16, 16, 3)), tf.float32)
grafted = tfgraft.optimize(model.get_concrete_function())
(result,) = grafted.function()(image)
np.testing.assert_allclose(result, model(image), rtol=1e-4, atol=1e-5)
counters = tfgraft.runtime.counters()
if not grafted.report.clusters or counters.calls < 1 or counters.fallbacks:
    sys.exit(f"error: the engine was not used: {grafted.report}, {counters}")
sys.stdout.write(f"{tfgraft.__file__}: {len(grafted.report.clusters)} engine, same numbers\n")
