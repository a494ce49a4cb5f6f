"""outline_loops, fuse_dilations and the cutting of light clusters, on real graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.graph.models import function
from tfgraft.passes.default import default_pipeline


def _sequence(kind: str) -> Any:
    tf.random.set_seed(1)
    units = 8
    cell = {"lstm": tf.keras.layers.LSTMCell(units), "simple": tf.keras.layers.SimpleRNNCell(units)}[kind]
    dense = tf.keras.layers.Dense(4)
    layer = tf.keras.layers.RNN(cell, return_sequences=True)

    @function(tf.TensorSpec((None, 12, 5), tf.float32, name="x"))
    def model(x: Any) -> Any:
        return tf.nn.softmax(dense(layer(x) * 2.0))

    return model


@pytest.mark.parametrize("kind", ["lstm", "simple"])
def test_a_recurrent_model_gives_the_same_numbers(kind: str) -> None:
    model = _sequence(kind)
    grafted = tfgraft.optimize(model)
    x = np.random.default_rng(0).standard_normal((3, 12, 5), np.float32)
    (got,) = grafted.function()(tf.constant(x))
    np.testing.assert_allclose(got, model(x), rtol=1e-4, atol=1e-5)
    assert grafted.report.clusters


def test_a_loop_that_stays_says_why() -> None:
    @function(tf.TensorSpec((None,), tf.float32, name="x"))
    def model(x: Any) -> Any:
        total = tf.constant(0.0)
        for i in tf.range(tf.shape(x)[0]):
            tf.print(x[i], output_stream="file:///dev/null")
            total += x[i]
        return total

    report = tfgraft.plan(model)
    assert any(d.origin == "outline_loops" and "state" in d.message for d in report.diagnostics)


def _dilated(rank: int, padding: str) -> Any:
    kernel = np.random.default_rng(1).standard_normal((3,) * rank + (4, 6)).astype(np.float32)

    @function(tf.TensorSpec((None,) * (rank + 1) + (4,), tf.float32, name="x"))
    def model(x: Any) -> Any:
        # What TensorFlow's Python API makes of a dilated convolution: pieces that are convolved without dilation.
        return tf.nn.relu(
            tf.nn.with_space_to_batch(x, [2] * rank, padding, _plain(kernel, rank), filter_shape=kernel.shape)
        )

    return model


def _plain(kernel: Any, rank: int) -> Any:
    def convolve(x: Any, spatial: Any, padding: str) -> Any:
        del spatial
        return (tf.nn.conv1d if rank == 1 else tf.nn.conv2d)(x, kernel, 1, padding)

    return convolve


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("rank", [1, 2])
def test_space_to_batch_becomes_a_dilation(rank: int, padding: str) -> None:
    model = _dilated(rank, padding)
    assert any(n.op == "SpaceToBatchND" for n in model.get_concrete_function().graph.as_graph_def().node)
    grafted = tfgraft.optimize(model, minimum_segment_size=1)
    explained = [n for n in grafted.report.nodes if n.op == "SpaceToBatchND"]
    assert {n.fate for n in explained} == {"replaced"}
    for size in (9, 12):
        x = np.random.default_rng(size).standard_normal((2,) + (size,) * rank + (4,)).astype(np.float32)
        (got,) = grafted.function()(tf.constant(x))
        np.testing.assert_allclose(got, model(x), rtol=1e-4, atol=1e-5)


def _heavy_and_light() -> Any:
    kernel = np.ones((3, 3, 3, 8), np.float32)

    @function(tf.TensorSpec((1, 8, 8, 3), tf.float32, name="x"))
    def model(x: Any) -> Any:
        y = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + 1.0)
        text = tf.strings.as_string(tf.reduce_sum(y))
        return tf.tanh(tf.exp(-tf.strings.to_number(text)) + 2.0)

    return model


def test_light_clusters_beside_heavy_ones_stay_native() -> None:
    report = tfgraft.plan(_heavy_and_light())
    assert len(report.clusters) == 1
    (left_out,) = {n.reason for n in report.nodes if n.fate == "left out" and n.op == "Tanh"}
    assert "light" in left_out


def test_light_clusters_can_be_kept() -> None:
    pipeline = default_pipeline(cut_light=False, build=False)
    assert len(tfgraft.plan(_heavy_and_light(), pipeline=pipeline).clusters) == 2


def test_light_clusters_in_the_body_of_a_loop_stay_native() -> None:
    """The call of an engine would cost more than it saves at each step, also where nothing else is in an engine."""
    kernel = np.full((128, 512), 0.01, np.float32)

    @function(tf.TensorSpec((1, 128), tf.float32, name="x"))
    def model(x: Any) -> Any:
        for i in tf.range(3):
            tf.print(i, output_stream="file:///dev/null")  # so that no engine takes the loop
            x = tf.tanh(tf.nn.relu(x @ kernel)[:, :128] * 0.5 + 0.25)
        return x

    report = tfgraft.plan(model)
    assert not report.clusters
    assert any("light" in node.reason for node in report.nodes if node.op == "MatMul")
