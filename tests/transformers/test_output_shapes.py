"""What is known of the sizes of an engine's outputs before it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase, graph_of
from tests.cases.onnx_engine import op_converters, whole
from tfgraft.converters.onnx.model import cluster_to_onnx

_WEIGHTS = np.random.default_rng(0).standard_normal((12, 20)).astype(np.float32)


def test_an_output_is_as_large_as_an_input_where_onnx_can_tell() -> None:
    """TensorFlow forgets it behind Reshapes; other inputs' unknown sizes are not mistaken for it."""

    def build(x: Any, ids: Any) -> Any:
        rows = tf.reshape(x, (-1, 12))
        y = tf.reshape(tf.nn.relu(tf.matmul(rows, _WEIGHTS)), tf.concat([tf.shape(x)[:-1], [20]], 0))
        return tf.reshape(tf.matmul(tf.reshape(y, (-1, 20)), _WEIGHTS.T), tf.shape(x)), tf.cast(ids, tf.int64) + 1

    inputs = [np.ones((2, 5, 12), np.float32), np.arange(9, dtype=np.int32)]
    graph, _ = graph_of(OpCase("case", "", build, inputs, ((None, None, 12), (None,))))
    made = cluster_to_onnx(whole(graph), graph, op_converters(), ("onnx",), domains=frozenset({"com.microsoft"}))
    (x, ids), (y, plus) = made.inputs, made.outputs
    assert x.shape is not None
    assert min(x.shape) < -1
    assert y.shape == x.shape
    assert plus.shape == ids.shape
    assert not set(ids.shape or ()) & set(x.shape)
