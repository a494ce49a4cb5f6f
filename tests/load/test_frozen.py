"""Frozen graphs: ends given and found, input shapes, files of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format

from tests.load.models import Linear, frozen_graph, run, save
from tfgraft.errors import ModelError
from tfgraft.load import load


def test_ends_are_found() -> None:
    loaded = load(frozen_graph())
    assert [str(i) for i in loaded.inputs] == ["x:0 float32[?, 8]"]
    assert [str(o) for o in loaded.outputs] == ["y:0 float32[?, 4]", "z:0 float32[]"]
    assert loaded.signature is None
    assert loaded.is_self_contained


@pytest.mark.parametrize("name", ["relu", "relu:0"])
def test_outputs_are_given_by_node_or_tensor(name: str) -> None:
    loaded = load(frozen_graph(), outputs=[name])
    assert loaded.output_names == ("relu:0",)
    assert run(loaded, np.ones((2, 8)))[0].shape == (2, 4)


def test_assertions_and_groups_are_no_outputs() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        check = tf.debugging.Assert(tf.reduce_all(x > 0), [x])
        with tf.control_dependencies([check]):
            y = tf.identity(x, name="y")
        tf.raw_ops.Unpack(value=tf.stack([y, y], name="s"), num=2, name="parts")
        tf.group(check, name="all")
    assert load(graph).output_names == ("parts:0", "parts:1")


def test_outputs_only_read_by_a_group_are_found() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        tf.group(tf.nn.relu(x, name="y"), name="run")
    assert load(graph).output_names == ("y:0",)


def defaulted() -> Any:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [2], "x")
        rate = tf.compat.v1.placeholder_with_default(tf.constant(0.5), [], "rate")
        scale = tf.compat.v1.placeholder_with_default(tf.random.uniform([]), [], "scale")
        tf.multiply(x * rate, scale, name="y")
    return graph.as_graph_def()


def test_constant_defaults_make_inputs_optional() -> None:
    loaded = load(defaulted())
    assert loaded.input_names == ("x:0", "scale:0")
    assert [(i.name, i.required) for i in loaded.optional_inputs] == [("rate:0", False)]
    assert run(loaded, [2.0, 4.0], 3.0)[0].tolist() == [3.0, 6.0]


def test_an_optional_input_becomes_one_that_is_fed_when_its_shape_is_given() -> None:
    loaded = load(defaulted(), input_shapes={"rate": ()})
    assert loaded.input_names == ("x:0", "rate:0", "scale:0")
    assert run(loaded, [2.0, 4.0], 1.0, 3.0)[0].tolist() == [6.0, 12.0]


@pytest.mark.parametrize("shapes", [{"x": (3, 8)}, {"x:0": [3, None]}, [(3, -1)]])
def test_input_shapes(shapes: Any) -> None:
    graph_def = frozen_graph()
    before = graph_def.SerializeToString(deterministic=True)
    loaded = load(graph_def, input_shapes=shapes)
    assert loaded.inputs[0].shape == (3, 8)
    assert loaded.outputs[0].shape == (3, 4)
    assert graph_def.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"x": (3, 9)}, r"Shape \[3, 9\] does not fit input x:0 float32\[\?, 8\]"),
        ({"x": (8,)}, "does not fit"),
        ({"y": (3, 8)}, "'y', which is no input of the model. Its inputs are x:0"),
        ([(3, 8), (1,)], "2 input shapes are given, and the model has 1 inputs"),
        ({"x": "ab"}, "is not a shape"),
        ({"x": (-5, 8)}, "is not a shape"),
    ],
)
def test_input_shapes_that_do_not_fit(shapes: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load(frozen_graph(), input_shapes=shapes)


def test_files(tmp_path: Path) -> None:
    graph_def = frozen_graph()
    binary, text = tmp_path / "g.pb", tmp_path / "g.pbtxt"
    binary.write_bytes(graph_def.SerializeToString())
    text.write_text(text_format.MessageToString(graph_def))
    expected = run(load(graph_def), np.ones((1, 8)))
    for path in (binary, str(binary), text):
        np.testing.assert_array_equal(run(load(path), np.ones((1, 8)))[0], expected[0])


def test_the_file_of_a_saved_model_stands_for_its_directory(tmp_path: Path) -> None:
    path = save(Linear(), tmp_path / "m")
    assert load(path / "saved_model.pb").signature == load(path).signature
    alone = tmp_path / "alone.pb"
    alone.write_bytes((path / "saved_model.pb").read_bytes())
    with pytest.raises(ModelError, match=r"is a SavedModel's file, not a frozen graph\. Give the SavedModel directory"):
        load(alone)


def test_loops_of_tensorflow_1_load_and_run() -> None:
    tf.compat.v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default() as graph:
            x = tf.compat.v1.placeholder(tf.float32, [2], "x")
            _, y = tf.compat.v1.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * 2.0), [tf.constant(0), x])
            tf.identity(y, name="y")
    finally:
        tf.compat.v1.enable_control_flow_v2()
    assert any(node.op == "NextIteration" for node in graph.as_graph_def().node)
    assert run(load(graph, outputs="y"), [1.0, 2.0])[0].tolist() == [8.0, 16.0]
