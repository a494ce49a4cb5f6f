"""Small models for predictors."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

import tfgraft
from tests.passes.graft import build, native
from tfgraft.registry.registry import Registry

v1 = tf.compat.v1
X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


def mlp() -> None:
    """Add two layers over `x`; the output is `out`."""
    random = np.random.default_rng(0)
    x = v1.placeholder(tf.float32, [None, 4], "x")
    h = tf.nn.relu(tf.matmul(x, tf.constant(random.standard_normal((4, 300), np.float32))) + 0.5)
    tf.nn.softmax(tf.matmul(h, tf.constant(random.standard_normal((300, 5), np.float32))), name="out")


def two_by_two() -> None:
    """Add ops of two inputs, of two types, and two outputs, `sum` and `out`."""
    a = v1.placeholder(tf.float32, [None, 4], "a")
    b = v1.placeholder(tf.int32, [None, 4], "b")
    total = tf.add(tf.cast(b, tf.float32), tf.tanh(a), name="sum")
    tf.sigmoid(total * 2.0 - a, name="out")


def with_native() -> None:
    """Add a model of which TensorFlow keeps a part."""
    x = v1.placeholder(tf.float32, [None, 4], "x")
    tf.sigmoid(tf.tanh(native(tf.exp(x), "native")), name="out")


def graft(net: Any, registry: Registry, outputs: Any = ("out",), **options: Any) -> tfgraft.Grafted:
    """Graft a net, however small its clusters."""
    pipeline = tfgraft.default_pipeline(minimum_segment_size=1, cut_light=False)
    return tfgraft.optimize(build(net), outputs=list(outputs), registry=registry, pipeline=pipeline, **options)


def keras_model() -> Any:
    """Return a model with two named inputs and two named outputs."""
    import keras

    keras.utils.set_random_seed(0)
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    h = keras.layers.Dense(300, activation="relu")(keras.layers.Concatenate()([left, right]))
    outputs = {"score": keras.layers.Dense(2, name="score")(h), "kind": keras.layers.Dense(3, name="kind")(h)}
    return keras.Model([left, right], outputs)
