"""Transformer encoders as users have them: six layers of width 512, 8 heads, 2048 inside, written in several ways.

Weights are random, those that layers begin with as zeros and ones too: a trained net has biases.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Size:
    """How large an encoder is; `positions` None leaves a sequence's length open."""

    layers: int = 6
    positions: int | None = 128
    width: int = 512
    heads: int = 8
    inside: int = 2048


@dataclass(frozen=True)
class Encoder:
    """One way to write an encoder.

    Args:
        make: builds it as a Keras model of the given size; its batch is open.
        mask: whether it has a second input: which of a sequence's positions are there, float32 (batch, positions).
        open_length: whether the length of its sequences is open too.
    """

    make: Callable[[Size], Any]
    mask: bool = False
    open_length: bool = False

    def feeds(self, batch: int, positions: int, width: int) -> list[Any]:
        """Return made-up inputs in order, float32; the mask leaves the last quarter of each second sequence out."""
        tokens = np.random.default_rng(0).standard_normal((batch, positions, width), np.float32)
        there = np.ones((batch, positions), np.float32)
        there[::2, positions - positions // 4 :] = 0
        return [tokens, there] if self.mask else [tokens]


def _keras3(size: Size, **how: Any) -> Any:
    import keras

    return _blocks(keras, size, **how)


def _tf_keras(size: Size, **how: Any) -> Any:
    import tf_keras

    return _blocks(tf_keras, size, **how)


def _blocks(
    keras: Any, size: Size, pre_norm: bool = False, tanh: bool = False, mask: bool = False, causal: bool = False
) -> Any:
    """Return an encoder of Keras's own layers, of Keras 3 or tf_keras."""
    made = keras.layers
    activation = (lambda y: keras.activations.gelu(y, approximate=True)) if tanh else "gelu"
    x = tokens = made.Input((size.positions, size.width))
    inputs, given = [tokens], {"use_causal_mask": True} if causal else {}
    if mask:
        inputs.append(made.Input((size.positions,)))
        given["attention_mask"] = made.Reshape((1, -1))(inputs[1])

    def norm(y: Any) -> Any:
        return made.LayerNormalization(epsilon=1e-6)(y)

    for _ in range(size.layers):
        y = norm(x) if pre_norm else x
        x = x + made.MultiHeadAttention(size.heads, size.width // size.heads)(y, y, **given)
        y = x = x if pre_norm else norm(x)
        y = norm(y) if pre_norm else y
        x = x + made.Dense(size.width)(made.Dense(size.inside, activation=activation)(y))
        x = x if pre_norm else norm(x)
    return _trained(keras.Model(inputs, x))


def _bert(size: Size) -> Any:
    """Return an encoder as Hugging Face's BERT has it: heads by Reshape and Transpose, a mask that is added."""
    import tensorflow as tf
    import tf_keras

    made, hidden = tf_keras.layers, size.width // size.heads
    tokens, there = made.Input((size.positions, size.width)), made.Input((size.positions,))
    penalty = (1.0 - there[:, None, None, :]) * -10000.0

    def heads(y: Any) -> Any:
        y = tf.reshape(made.Dense(size.width)(y), (tf.shape(y)[0], -1, size.heads, hidden))
        return tf.transpose(y, (0, 2, 1, 3))

    def norm(y: Any) -> Any:
        return made.LayerNormalization(epsilon=1e-12)(y)

    x = tokens
    for _ in range(size.layers):
        scores = tf.matmul(heads(x), heads(x), transpose_b=True) / tf.cast(math.sqrt(hidden), tf.float32)
        weights = tf.nn.softmax(scores + penalty + 1e-9, axis=-1)
        y = tf.transpose(tf.matmul(weights, heads(x)), (0, 2, 1, 3))
        y = tf.reshape(y, (tf.shape(x)[0], -1, size.width))
        x = norm(x + made.Dense(size.width)(y))
        x = norm(x + made.Dense(size.width)(made.Dense(size.inside, activation="gelu")(x)))
    return _trained(tf_keras.Model([tokens, there], x))


def _trained(model: Any) -> Any:
    random = np.random.default_rng(0)
    model.set_weights([w + random.normal(0, 0.05, w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


ENCODERS: dict[str, Encoder] = {
    "Keras 3": Encoder(_keras3),
    "Keras 3, pre-norm": Encoder(lambda size: _keras3(size, pre_norm=True)),
    "Keras 3, tanh": Encoder(lambda size: _keras3(size, tanh=True)),
    "Keras 3, mask": Encoder(lambda size: _keras3(size, mask=True), mask=True),
    "Keras 3, causal": Encoder(lambda size: _keras3(size, causal=True)),
    "Keras 3, any length": Encoder(_keras3, open_length=True),
    "tf_keras": Encoder(_tf_keras),
    "tf_keras, pre-norm, tanh": Encoder(lambda size: _tf_keras(size, pre_norm=True, tanh=True)),
    "tf_keras, mask": Encoder(lambda size: _tf_keras(size, mask=True), mask=True),
    "BERT": Encoder(_bert, mask=True),
    "BERT, any length": Encoder(_bert, mask=True, open_length=True),
}
"""Encoders by what to call them."""
