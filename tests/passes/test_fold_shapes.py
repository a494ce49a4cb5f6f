"""fold_shapes: sizes that are known become constants, those that are not stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.graph.models import function
from tests.passes.graft import X, build, run, v1, x
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.load import load
from tfgraft.passes.base import PassContext
from tfgraft.passes.fold_shapes import FoldShapes
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.passes.pipeline import Pipeline
from tfgraft.registry.registry import Registry


def folded(graph_def: Any, *feeds: str) -> Graph:
    graph = from_graph_def(graph_def, feeds=[TensorRef(f) for f in feeds or ("x",)], fetches=[TensorRef("out")])
    ctx = PassContext(Registry())
    Pipeline([InferShapes(), FoldShapes()]).run(graph, ctx)
    assert graph.verify() == []
    return graph


def ops(graph: Graph) -> set[str]:
    return {node.op for node in graph}


def same(graph: Graph, graph_def: Any, feeds: dict[str, Any]) -> None:
    got, want = run(to_graph_def(graph), ["out:0"], feeds), run(graph_def, ["out:0"], feeds)
    np.testing.assert_array_equal(got[0], want[0])


def placeholder(*shape: int | None) -> Any:
    """Return a placeholder whose sizes TensorFlow's Python API does not see: it would fold them itself."""
    data = x(*(None for _ in shape))
    data.op._set_attr("shape", tf.compat.v1.AttrValue(shape=tf.TensorShape(shape).as_proto()))
    return data


def test_what_is_computed_of_a_known_size_is_a_constant() -> None:
    def model() -> None:
        data = placeholder(3, 4)
        # As an RNN makes its first state: out of a size of its input, and one that it knows.
        tf.concat([data, tf.fill(tf.stack([tf.shape(data)[0], 5]), 0.5)], 1, name="out")

    graph = folded(build(model))
    assert ops(graph) == {"Placeholder", "Const", "ConcatV2"}
    same(graph, build(model), {"x:0": X})


def test_known_sizes_are_taken_out_of_a_shape_that_is_not() -> None:
    def model() -> None:
        data = placeholder(None, 4)
        tf.reshape(data, tf.stack([tf.shape(data)[0], tf.gather(tf.shape(data), 1) // 2, 2]), name="out")

    graph = folded(build(model))
    (shape,) = (node for node in graph if node.op in ("Shape", "GatherV2", "FloorDiv"))
    assert shape.op == "Shape"
    same(graph, build(model), {"x:0": X})


@pytest.mark.parametrize("shape", [(None, None), (3, None), (3, 4)])
def test_size_and_rank(shape: tuple[int | None, ...]) -> None:
    def model() -> None:
        data = placeholder(*shape)
        tf.add(tf.size(data, out_type=tf.int32), tf.rank(data), name="out")

    graph = folded(build(model))
    assert ("Size" in ops(graph)) == (None in shape)
    assert "Rank" not in ops(graph)
    same(graph, build(model), {"x:0": X})


def test_what_has_an_effect_still_happens() -> None:
    """The size of what a stateful op gives is known; the op runs nevertheless."""

    def model() -> None:
        data = tf.raw_ops.Print(input=placeholder(3, 4), data=[], message="", name="effect")
        tf.add(tf.shape(data)[0], 1, name="out")

    graph = folded(build(model))
    assert "Shape" not in ops(graph)
    assert "effect" in graph


def test_nothing_is_folded_in_branches_of_tensorflow_1() -> None:
    """A constant there would be in no branch."""

    def model() -> None:
        data = placeholder(3, 4)
        out = v1.cond(tf.reduce_max(data) > 0.0, lambda: tf.shape(data)[0], lambda: tf.shape(data)[1])
        tf.identity(out, name="out")

    graph = folded(build(model, control_flow_v1=True))
    assert "Merge" in ops(graph)
    for sign in (-1.0, 1.0):
        same(graph, build(model, control_flow_v1=True), {"x:0": np.abs(X) * sign})


@pytest.mark.parametrize("fed", ["size", "same"])
def test_a_fed_size_is_not_folded(fed: str) -> None:
    def model() -> None:
        size = tf.identity(tf.shape(placeholder(3, 4), name="size"), name="same")
        tf.add(size[0], 1, name="out")

    graph = folded(build(model), "x", fed)
    assert "StridedSlice" in ops(graph)
    same(graph, build(model), {"x:0": X, f"{fed}:0": [7, 7]})


@pytest.mark.parametrize("batch", [None, 1, 3])
def test_a_recurrent_model_of_any_batch_becomes_one_engine(batch: int | None) -> None:
    tf.random.set_seed(1)
    layer = tf.keras.layers.RNN(tf.keras.layers.LSTMCell(8), return_sequences=True)

    @function(tf.TensorSpec((None, 12, 5), tf.float32, name="x"))
    def model(data: Any) -> Any:
        return tf.nn.softmax(layer(data) * 2.0)

    grafted = tfgraft.optimize(model, input_shapes=[(batch, 12, 5)])
    assert len(grafted.report.clusters) == 1
    assert not any(node.op == "While" and node.fate == "native" for node in grafted.report.nodes)
    data = np.random.default_rng(0).standard_normal((batch or 3, 12, 5), np.float32)
    (got,) = grafted.function()(tf.constant(data))
    np.testing.assert_allclose(got, model(data), rtol=1e-4, atol=1e-5)


def test_what_others_read_too_is_not_waited_for() -> None:
    """An edge from behind a call, which may have effects, would part what belongs together."""
    kernel = np.random.default_rng(0).standard_normal((3, 3, 2, 8)).astype(np.float32)
    grouped = tf.function(lambda v: tf.nn.conv2d(v, kernel, 1, "SAME"), jit_compile=True, autograph=False)

    def model() -> None:
        data = tf.tanh(placeholder(2, 6, 5, 4))
        y = tf.tanh(grouped(data))
        beside = tf.reshape(tf.nn.relu(tf.tile(data, [1, 1, 1, 2])), tf.shape(y))  # waits for no call but by its shape
        tf.nn.softmax(y + grouped(tf.reshape(beside, [4, 6, 5, 4]))[:2], name="out")

    graph_def = build(model)
    for node in graph_def.node:
        if node.op == "PartitionedCall":
            node.op = "StatefulPartitionedCall"  # as it is in a graph of Keras
    report = tfgraft.plan(load(graph_def, outputs=["out"]))
    assert len(report.clusters) == 1
    assert not any(node.op == "Shape" and node.fate == "native" for node in report.nodes)
