"""Inputs that always have one value, in models of every kind, and values and names that do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.load.models import Words, run, save
from tfgraft.errors import ModelError
from tfgraft.load import load

v1 = tf.compat.v1
X = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
SWITCHES = {"training": False, "keep_prob": 1.0, "rate": 0.25}
CONTROL = frozenset({"Switch", "Merge", "If", "StatelessIf"})


def dropout_graph(default: bool = False) -> Any:
    """Two layers, each with a dropout of TensorFlow 1 behind it that a switch chooses, and a scale by keep_prob."""
    random = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        v1.disable_control_flow_v2()
        try:
            x = v1.placeholder(tf.float32, [None, 8], "x")
            if default:
                training = v1.placeholder_with_default(tf.constant(True), [], "training")
            else:
                training = v1.placeholder(tf.bool, [], "training")
            keep = v1.placeholder(tf.float32, [], "keep_prob")
            rate = v1.placeholder_with_default(tf.constant(0.5), [], "rate")
            h = x
            for i in range(2):
                h = tf.linalg.matmul(h, tf.constant(random.normal(size=(8, 8)).astype("f")))
                h = tf.nn.relu(tf.nn.bias_add(h, tf.constant(random.normal(size=8).astype("f"))))
                h = v1.cond(training, lambda h=h: v1.nn.dropout(h, keep), lambda h=h: tf.identity(h), name=f"drop_{i}")
            tf.multiply(tf.tanh(h) / keep, rate, name="y")
        finally:
            v1.enable_control_flow_v2()
    return graph.as_graph_def()


def fed(graph_def: Any, feeds: Mapping[str, Any], fetch: str = "y:0") -> Any:
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        return session.run(fetch, feeds)


def assert_close(got: Any, wanted: Any) -> None:
    np.testing.assert_allclose(np.asarray(got), np.asarray(wanted), rtol=1e-5, atol=1e-6)


def ops(graph_def: Any) -> set[str]:
    return {node.op for node in graph_def.node}


WANTED = {"x:0": X, "training:0": False, "keep_prob:0": 1.0, "rate:0": 0.25}


@pytest.mark.parametrize("names", [("training", "keep_prob", "rate"), ("training:0", "keep_prob:0", "rate:0")])
def test_inputs_of_a_graph_become_constants(names: tuple[str, ...]) -> None:
    graph_def = dropout_graph()
    before = graph_def.SerializeToString(deterministic=True)
    loaded = load(graph_def, outputs=["y"], constants=dict(zip(names, SWITCHES.values(), strict=True)))
    assert loaded.input_names == ("x:0",)
    assert loaded.optional_inputs == ()
    nodes = {node.name: node for node in loaded.graph_def.node}
    assert {nodes[name].op for name in SWITCHES} == {"Const"}
    np.testing.assert_array_equal(run(loaded, X)[0], fed(graph_def, WANTED))
    assert graph_def.SerializeToString(deterministic=True) == before


def test_an_optional_switch_becomes_a_constant_other_than_its_default() -> None:
    loaded = load(dropout_graph(default=True), outputs=["y"], constants={"training": False})
    assert loaded.input_names == ("x:0", "keep_prob:0")
    assert [i.name for i in loaded.optional_inputs] == ["rate:0"]
    wanted = fed(dropout_graph(), {**WANTED, "rate:0": 0.5})
    np.testing.assert_array_equal(run(loaded, X, 1.0)[0], wanted)


def test_a_plan_with_constants_has_one_cluster() -> None:
    report = tfgraft.plan(dropout_graph(), outputs=["y"], constants=SWITCHES)
    assert len(report.clusters) == 1
    assert not {node.name for node in report.nodes if node.op in CONTROL and node.fate != "replaced"}
    assert len(tfgraft.plan(dropout_graph(), outputs=["y"], minimum_segment_size=1).clusters) > 1


@pytest.mark.parametrize("default", [False, True])
def test_the_result_runs_and_is_saved_without_the_inputs(default: bool, tmp_path: Path) -> None:
    wanted = fed(dropout_graph(), WANTED)
    grafted = tfgraft.optimize(dropout_graph(default), outputs=["y"], constants=SWITCHES, strict=True)
    assert grafted.inputs == ("x:0",)
    assert "TfGraft>Engine" in ops(grafted.graph_def)
    assert not CONTROL & ops(grafted.graph_def)
    assert_close(fed(grafted.graph_def, {"x:0": X}), wanted)
    assert_close(grafted.function()(tf.constant(X))[0], wanted)
    assert_close(grafted.predictor()(X)[0], wanted)
    grafted.save(tmp_path / "out.pb")
    again = load(tmp_path / "out.pb")
    assert again.input_names == ("x:0",)
    assert_close(run(again, X)[0], wanted)
    grafted.save(tmp_path / "out")
    signature = tfgraft.load_saved_model(str(tmp_path / "out")).signatures["serving_default"]
    assert set(signature.structured_input_signature[1]) == {"x"}
    assert_close(signature(x=tf.constant(X))["y"], wanted)


class Switched(tf.Module):  # type: ignore[misc]
    """A layer with a switch that a function of TensorFlow 2 asks, and a scale."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(np.random.default_rng(1).normal(size=(8, 8)).astype("f"))

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec([], tf.bool, name="training"),
            tf.TensorSpec([None, 8], tf.float32, name="features"),
            tf.TensorSpec([None], tf.float32, name="scale"),
        ]
    )
    def serve(self, training: Any, features: Any, scale: Any) -> Any:
        h = tf.nn.relu(features @ self.w)
        h = tf.cond(training, lambda: tf.nn.dropout(h, 0.5), lambda: tf.tanh(h))
        return {"y": h * scale}


def test_inputs_of_a_signature_become_constants(tmp_path: Path) -> None:
    module = Switched()
    path = save(module, tmp_path / "m", serving_default=module.serve)
    scale = np.arange(8, dtype="f")
    wanted = module.serve(tf.constant(False), tf.constant(X), tf.constant(scale))["y"]
    grafted = tfgraft.optimize(str(path), constants={"training": False, "scale": scale}, strict=True)
    assert grafted.signature is not None
    assert list(grafted.signature.inputs) == ["features"]
    assert grafted.loaded.outputs[0].shape == (-1, 8)
    assert len(grafted.report.clusters) == 1
    assert not CONTROL & ops(grafted.graph_def)
    assert_close(grafted.predictor()(features=X)["y"], wanted)
    grafted.save(tmp_path / "out")
    signature = tfgraft.load_saved_model(str(tmp_path / "out")).signatures["serving_default"]
    assert set(signature.structured_input_signature[1]) == {"features"}
    assert_close(signature(features=tf.constant(X))["y"], wanted)


def test_a_list_of_shapes_counts_the_constants() -> None:
    module = Switched()
    loaded = load(
        module.serve.get_concrete_function(), constants={"training": False}, input_shapes=[None, (3, 8), (8,)]
    )
    assert [str(i) for i in loaded.inputs] == ["features:0 float32[3, 8]", "scale:0 float32[8]"]


def test_inputs_of_a_keras_model_become_constants() -> None:
    import keras

    x, scale = keras.layers.Input((8,), name="x"), keras.layers.Input((8,), name="scale")
    model = keras.Model([x, scale], keras.layers.Dense(4)(x) * scale[:, :4])
    value = np.full((1, 8), 2.0, np.float32)
    loaded = load(model, constants={"scale": value})
    assert loaded.input_names == ("x:0",)
    assert_close(run(loaded, X)[0], model([X, np.repeat(value, 3, 0)]))


def test_a_constant_may_itself_be_an_output() -> None:
    grafted = tfgraft.optimize(dropout_graph(), outputs=["y", "keep_prob"], constants=SWITCHES)
    assert [str(o) for o in grafted.loaded.outputs][1] == "keep_prob:0 float32[]"
    assert float(grafted.function()(tf.constant(X))[1]) == 1.0
    assert float(grafted.predictor()(X)[1]) == 1.0


def test_all_inputs_may_be_constants(tmp_path: Path) -> None:
    grafted = tfgraft.optimize(dropout_graph(), outputs=["y"], constants={**SWITCHES, "x": X})
    wanted = fed(dropout_graph(), WANTED)
    assert grafted.inputs == ()
    assert grafted.loaded.outputs[0].shape == (3, 8)
    assert_close(grafted.function()()[0], wanted)
    assert_close(grafted.predictor()()[0], wanted)
    grafted.save(tmp_path / "out")
    signature = tfgraft.load_saved_model(str(tmp_path / "out")).signatures["serving_default"]
    assert_close(signature()["y"], wanted)


def test_tables_are_made_without_the_input() -> None:
    table = tfgraft.calibrate(dropout_graph(), [{"x": X}], outputs=["y"], constants=SWITCHES)
    assert table.samples == 1
    grafted = tfgraft.optimize(dropout_graph(), outputs=["y"], constants=SWITCHES, precision="INT8", calibration=table)
    wanted = fed(dropout_graph(), WANTED)
    assert np.abs(grafted.function()(tf.constant(X))[0] - wanted).max() < 0.05


@pytest.mark.parametrize(
    ("dtype", "value", "made"),
    [
        ("float32", 1, 1.0),
        ("float32", True, 1.0),
        ("float32", float("inf"), np.inf),
        ("bfloat16", 0.5, 0.5),
        ("float32", np.float64(0.5), 0.5),
        ("float32", tf.constant(0.5), 0.5),
        ("uint8", 200, 200),
        ("int32", np.int64(-7), -7),
        ("complex64", 1.5, 1.5),
        ("bool", np.bool_(True), True),
        ("string", "a", b"a"),
        ("string", b"a\0", b"a\0"),
    ],
)
def test_values_are_converted(dtype: str, value: Any, made: Any) -> None:
    with tf.Graph().as_default() as graph:
        tf.identity(v1.placeholder(dtype, [], "p"), name="y")
    loaded = load(graph, constants={"p": value})
    result = run(loaded)[0]
    assert result == made
    assert loaded.outputs[0].dtype == dtype


@pytest.mark.parametrize(
    ("dtype", "shape", "value", "told"),
    [
        ("int32", [], 0.5, "0.5 is float64"),
        ("bool", [], 1, "1 is int64"),
        ("bool", [], 0.0, "0.0 is float64"),
        ("uint8", [], 256, "out of its range"),
        ("uint8", [], -1, "out of its range"),
        ("float16", [], 1e6, "out of its range"),
        ("float32", [], "a", "does not fit its type"),
        ("float32", [], 1j, "does not fit its type"),
        ("float32", [], None, "does not fit its type"),
        ("float32", [], {}, "does not fit its type"),
        ("float32", None, [[1], [1, 2]], "does not fit its type"),
        ("string", [], 1, "does not fit its type"),
        ("float32", [], [1.0], r"has shape \[1\]"),
        ("float32", [None, 2], [[1.0]], r"p:0 float32\[\?, 2\] has shape \[1, 1\]"),
        ("int32", [2], [], r"has shape \[0\]"),
        ("qint8", [], 1, "no constant can take its place"),
    ],
)
def test_values_that_do_not_fit_are_refused(dtype: str, shape: Any, value: Any, told: str) -> None:
    with tf.Graph().as_default() as graph:
        tf.identity(v1.placeholder(dtype, shape, "p"), name="y")
    with pytest.raises(ModelError, match=told) as caught:
        load(graph, constants={"p": value})
    assert caught.value.hint
    assert "p:0" in caught.value.message


@pytest.mark.parametrize(
    ("constants", "shapes", "told"),
    [
        ({"trainin": False}, None, "no input of the model. Did you mean 'training:0'"),
        ({"nothing": False}, None, "Its inputs are x:0, training:0, keep_prob:0, rate:0"),
        ({"y": 1.0}, None, r"'y' \(Mul\), which is no input"),
        ({"training": False, "training:0": False}, None, "given two constants, the second as 'training:0'"),
        ({"keep_prob": 1.0}, {"keep_prob:0": ()}, "a constant and a shape, the shape as 'keep_prob:0'"),
        ({"rate": 1.0}, {"rate": ()}, "a constant and a shape"),
        (["training"], None, "constants is a list"),
    ],
)
def test_names_that_do_not_fit_are_refused(constants: Any, shapes: Any, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        load(dropout_graph(), constants=constants, input_shapes=shapes)


def test_an_input_that_no_output_needs_is_told_apart() -> None:
    with pytest.raises(ModelError, match="'rate', which no output needs"):
        load(dropout_graph(), outputs=["Relu"], constants={"rate": 1.0})


def test_resources_are_refused(tmp_path: Path) -> None:
    loaded = load(str(save(Words(tmp_path), tmp_path / "m")))
    (resource,) = loaded.resources
    with pytest.raises(ModelError, match="is a resource"):
        load(str(tmp_path / "m"), constants={resource.name: 1})

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([], tf.variant, name="v"), tf.TensorSpec([], tf.float32, name="x")]
    )
    def reads(v: Any, x: Any) -> Any:
        return x + tf.cast(tf.raw_ops.TensorListLength(input_handle=v), tf.float32)

    with pytest.raises(ModelError, match="'v:0' is a variant"):
        load(reads, constants={"v": 1})


def test_a_model_that_is_loaded_takes_no_constants() -> None:
    with pytest.raises(ModelError, match="loaded already"):
        tfgraft.optimize(load(dropout_graph()), constants=SWITCHES)
