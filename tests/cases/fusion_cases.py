"""Patterns that are fused, and near misses that must not be; lines of dilated convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase

_R = np.random.default_rng(3)
_X = _R.standard_normal((2, 6, 5, 8), np.float32) * 4
_K = _R.standard_normal((1, 1, 8, 16), np.float32)
_SLOPE = _R.random(16, np.float32)
_LINE = _R.standard_normal((2, 1500, 4), np.float32)


def _conv(x: Any) -> Any:
    return tf.nn.conv2d(x, _K, 1, "SAME")


def _prelu(x: Any, slope: Any, flipped: bool = False) -> Any:
    y = _conv(x)
    if flipped:
        return tf.nn.relu(y) + -slope * tf.nn.relu(-y)
    return -tf.nn.relu(-y) * slope + tf.nn.relu(y)


def _swish(x: Any, order: int, scale: float = 1 / 6) -> Any:
    y = _conv(x)
    gate = tf.nn.relu6(y + 3.0)
    return [(y * gate) * scale, y * (gate / (1 / scale)), (scale * y) * gate][order]


def _line(kernel: int, dilation: int, padding: Any = "SAME") -> Any:
    weights = _R.standard_normal((1, kernel, 4, 6)).astype(np.float32)

    def build(x: Any) -> Any:
        y = tf.nn.conv2d(tf.expand_dims(x, 1), weights, 1, padding, dilations=[1, dilation])
        return tf.nn.relu(tf.squeeze(y, [1])) + 1.0

    return build


def _twice(x: Any) -> Any:
    y = tf.nn.relu(_conv(x))
    return tf.minimum(y, 2.0), y


CASES = [
    OpCase("prelu", "Relu", lambda x: _prelu(x, _SLOPE), [_X], dynamic=((None, 6, 5, 8),)),
    OpCase("prelu-flipped", "Relu", lambda x: _prelu(x, _SLOPE, True), [_X]),
    OpCase("prelu-steep", "Relu", lambda x: _prelu(x, _SLOPE * 3), [_X]),
    OpCase("prelu-for-each-pixel", "Relu", lambda x: _prelu(x, _R.random((6, 5, 16), np.float32)), [_X]),
    OpCase("prelu-read-inside", "Relu", lambda x: (_prelu(x, _SLOPE), tf.nn.relu(_conv(x))), [_X]),
    *[OpCase(f"hard-swish-{i}", "Relu6", lambda x, i=i: _swish(x, i), [_X]) for i in range(3)],
    OpCase("hard-swish-other-scale", "Relu6", lambda x: _swish(x, 2, 0.25), [_X]),
    OpCase("hard-swish-negative-scale", "Relu6", lambda x: _swish(x, 2, -0.25), [_X]),
    OpCase("clip", "Minimum", lambda x: tf.maximum(tf.minimum(tf.nn.relu(_conv(x)), 6.0), 1.0), [_X]),
    OpCase("clip-crossed", "Minimum", lambda x: tf.minimum(tf.maximum(_conv(x), 3.0), -1.0), [_X]),
    OpCase("clip-read-inside", "Minimum", _twice, [_X]),
    OpCase("line-same", "Conv2D", _line(5, 10), [_LINE]),
    OpCase("line-dynamic", "Conv2D", _line(5, 16), [_LINE], dynamic=((None, None, 4),)),
    OpCase("line-valid", "Conv2D", _line(3, 9, "VALID"), [_LINE], dynamic=((None, None, 4),)),
    OpCase("line-uneven", "Conv2D", _line(4, 8, [[0, 0], [0, 0], [7, 2], [0, 0]]), [_LINE[:, :1237]]),
    OpCase("line-little-dilation", "Conv2D", _line(5, 2), [_LINE]),
]
