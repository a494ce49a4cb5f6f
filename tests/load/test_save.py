"""Saving: frozen files and SavedModels with their signatures, whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.load.models import Counter, Linear, Words, frozen_graph, run, save, save_v1
from tfgraft import save as saving
from tfgraft.errors import SaveError
from tfgraft.function import make_function
from tfgraft.grafted import Grafted
from tfgraft.load import LoadedModel, load
from tfgraft.report.report import Report

X = np.array([[1.0, 2.0, 3.0]], "f")


def ungrafted(loaded: LoadedModel) -> Grafted:
    return Grafted(loaded.graph_def, loaded, Report("none", (), (), ()))


def serve(path: Path, key: str = "serving_default", **feeds: Any) -> dict[str, Any]:
    function = tf.saved_model.load(str(path)).signatures[key]
    return {name: t.numpy() for name, t in function(**{k: tf.constant(v) for k, v in feeds.items()}).items()}


def test_function_takes_inputs_in_order_and_returns_a_list() -> None:
    grafted = ungrafted(load(frozen_graph()))
    function = grafted.function()
    assert function is grafted.function()
    got = function(tf.ones([2, 8]))
    assert [t.shape.as_list() for t in got] == [[2, 4], []]
    assert grafted.inputs == ("x:0",)
    assert grafted.outputs == ("y:0", "z:0")
    assert [o.shape.as_list() for o in function.outputs] == [[None, 4], []]


def test_frozen_file(tmp_path: Path) -> None:
    loaded = load(frozen_graph())
    ungrafted(loaded).save(tmp_path / "new" / "g.pb")
    again = load(tmp_path / "new" / "g.pb")
    assert again.graph_def == loaded.graph_def
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["g.pb"]


def test_saved_model_of_a_frozen_graph_gets_a_signature(tmp_path: Path) -> None:
    loaded = load(frozen_graph())
    ungrafted(loaded).save(tmp_path / "m")
    got = serve(tmp_path / "m", x=np.ones((2, 8), "f"))
    assert sorted(got) == ["y", "z"]
    np.testing.assert_allclose(got["y"], run(loaded, np.ones((2, 8)))[0])


def test_saved_model_keeps_key_and_names(tmp_path: Path) -> None:
    module = Linear()
    path = save(module, tmp_path / "m", mine=module.__call__)
    loaded = load(path)
    ungrafted(loaded).save(tmp_path / "n")
    np.testing.assert_allclose(serve(tmp_path / "n", "mine", features=X)["scores"], X @ module.w.numpy())
    again = load(tmp_path / "n").signature
    assert again is not None
    assert loaded.signature is not None
    assert (again.key, list(again.inputs), list(again.outputs)) == ("mine", ["features"], ["scores", "total"])


def test_saved_model_with_a_table(tmp_path: Path) -> None:
    path = save(Words(tmp_path), tmp_path / "m")
    grafted = ungrafted(load(path))
    with pytest.raises(SaveError, match=r"resources outside its graph.*Save to a directory"):
        grafted.save(tmp_path / "g.pb")
    assert not (tmp_path / "g.pb").exists()
    grafted.save(tmp_path / "n")
    (tmp_path / "vocabulary.txt").unlink()
    assert serve(tmp_path / "n", words=["green", "?"])["ids"].tolist() == [1, -1]
    # Over itself: the files that it is read from are those that it replaces.
    ungrafted(load(tmp_path / "n")).save(tmp_path / "n")
    assert serve(tmp_path / "n", words=["green", "?"])["ids"].tolist() == [1, -1]


def test_saved_model_of_tensorflow_1_with_a_table(tmp_path: Path) -> None:
    loaded = load(save_v1(tmp_path / "m"))
    ungrafted(loaded).save(tmp_path / "n")
    assert serve(tmp_path / "n", the_words=["b"])["scaled"].tolist() == [60.0]
    with pytest.raises(SaveError, match="tables that its initializer fills"):
        ungrafted(loaded).save(tmp_path / "g.pb")


def test_saved_model_with_a_written_variable(tmp_path: Path) -> None:
    ungrafted(load(Counter())).save(tmp_path / "m")
    function = tf.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]
    assert [float(function(x=tf.constant(1.0))["y"]) for _ in range(2)] == [2.0, 4.0]


def test_marks_of_passes_are_not_written(tmp_path: Path) -> None:
    module = Linear()
    loaded = load(module.looped)
    for function in loaded.graph_def.library.function:
        function.attr["_tfgraft_note"].b = True
    ungrafted(loaded).save(tmp_path / "m")
    assert serve(tmp_path / "m", x=X)["x"].shape == (1, 3)
    assert loaded.graph_def.library.function[0].attr["_tfgraft_note"].b


def test_resource_whose_owner_is_not_known(tmp_path: Path) -> None:
    words = Words(tmp_path)
    with pytest.raises(SaveError, match=r"own the resources .* are not known"):
        ungrafted(load(words.__call__.get_concrete_function())).save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_only_models_are_replaced(tmp_path: Path) -> None:
    grafted = ungrafted(load(frozen_graph()))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "dir.pb").mkdir()
    for name in ("photos", "notes", "dir.pb", "model.onnx"):
        with pytest.raises(SaveError):
            grafted.save(tmp_path / name)
    assert (tmp_path / "photos" / "cat.jpg").read_bytes() == b"cat"
    assert (tmp_path / "notes").read_text() == "mine"


@pytest.mark.parametrize("name", ["g.pb", "m"])
def test_a_failure_leaves_what_was_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grafted = ungrafted(load(frozen_graph()))
    grafted.save(tmp_path / name)
    before = sorted((p, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file())

    def fails(graph_def: Any, *rest: Any) -> None:
        (rest[1] if name == "m" else rest[0]).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "_write_saved_model" if name == "m" else "_write_graph", fails)
    with pytest.raises(OSError, match="No space left"):
        grafted.save(tmp_path / name)
    assert sorted((p, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file()) == before


def test_a_graph_that_no_file_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "LIMIT", 100)
    with pytest.raises(SaveError, match=r"a \.pb file holds at most 2 GiB\. Save to a directory"):
        ungrafted(load(frozen_graph())).save(tmp_path / "g.pb")
    with pytest.raises(SaveError, match="at most 2 GiB"):
        saving.check_target(tmp_path / "g.pb", load(frozen_graph()))
    assert list(tmp_path.iterdir()) == []


def test_a_large_graph_is_a_saved_model_with_variables(tmp_path: Path) -> None:
    kernel = np.random.default_rng(0).normal(size=(64, 256)).astype(np.float32)

    def function() -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 64], "x")
        tf.identity(tf.nn.relu(tf.nn.tanh(x @ kernel) * kernel[0]), name="y")

    graph = tf.Graph()
    with graph.as_default():
        function()
    grafted = tfgraft.optimize(graph.as_graph_def(), minimum_segment_size=1, strict=True)
    assert len(grafted.report.clusters) == 1
    x = np.ones((2, 64), np.float32)
    (want,) = grafted.function()(tf.constant(x))
    saving.save(grafted.graph_def, grafted.loaded, tmp_path / "m", inside=50_000)
    assert (tmp_path / "m" / "saved_model.pb").stat().st_size < kernel.nbytes
    again = tfgraft.load_saved_model(str(tmp_path / "m"))
    got = again.signatures["serving_default"](x=tf.constant(x))["y"]
    np.testing.assert_array_equal(got, want)
    assert load(tmp_path / "m").inputs[0].shape == (-1, 64)
    run = make_function(grafted.graph_def, grafted.loaded.inputs, grafted.loaded.outputs, limit=50_000)
    assert [v.shape for v in run.tfgraft_weights] == [(64, 256)]
    np.testing.assert_array_equal(run(tf.constant(x))[0], want)


def test_what_no_file_holds_is_refused_before_long_work(tmp_path: Path) -> None:
    graph_def = frozen_graph()
    node = graph_def.node.add(name="zeros", op="Const")
    node.attr["dtype"].type = 1
    node.attr["value"].tensor.dtype = 1
    node.attr["value"].tensor.tensor_shape.dim.add(size=2**31)
    loaded = replace(load(frozen_graph()), graph_def=graph_def)
    saving.check_target(tmp_path / "m", loaded)
    saving.check_target(tmp_path / "g.pb", loaded)  # eight gigabytes of zeros take a few bytes
    words = load(save(Words(tmp_path), tmp_path / "words"))
    saving.check_target(tmp_path / "m", words)
    with pytest.raises(SaveError, match="would be incomplete"):
        saving.check_target(tmp_path / "g.pb", words)


def test_a_tensorflow_1_model_without_tables_is_a_graph_by_itself(tmp_path: Path) -> None:
    """Its variables are constants: nothing is left that its initializer would fill, and none is written again."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        _, y = tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * 2.0), [tf.constant(0), x])
        z = tf.multiply(y, v1.get_variable("scale", initializer=3.0, use_resource=True), name="z")
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "m"), {"x": x}, {"z": z})
    loaded = load(str(tmp_path / "m"))
    assert loaded.initializers == ()
    ungrafted(loaded).save(tmp_path / "g.pb")
    np.testing.assert_array_equal(run(load(str(tmp_path / "g.pb")), [[1, 2]])[0], [[24, 48]])
