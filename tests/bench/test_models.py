"""The rows' graphs: switches of the zoo's models are constants in what every contender gets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.bench.models import zoo_row
from benchmarks.zoo.built import Tensor, save_arrays
from benchmarks.zoo.models import MODELS
from benchmarks.zoo.stages.calls import session_call


@pytest.mark.parametrize("batch", [1, 2])
def test_a_switch_is_a_constant_of_the_graph(batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 2], "x")
        training = tf.compat.v1.placeholder_with_default(tf.constant(True), [], "training")
        y = tf.where(training, -x, x * 2.0, name="y")
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    facts = {"inputs": [Tensor.of(x).to_dict(), Tensor.of(training).to_dict()], "outputs": [Tensor.of(y).to_dict()]}
    (tmp_path / "m.json").write_text(json.dumps(facts))
    value = np.array([[1.0, 3.0]], np.float32)
    save_arrays(tmp_path / "samples" / "m.npz", {"x:0": value, "training:0": np.array(False)})
    model = replace(MODELS["deepbrain_unet3d"], name="m", constants=("training:0",))
    monkeypatch.setattr("benchmarks.bench.models.MODELS", {"m": model})
    built, feed = zoo_row(tmp_path, "m", batch)
    assert [each.name for each in built.inputs] == list(feed) == ["x:0"]
    assert not [node.name for node in built.graph_def.node if node.op == "PlaceholderWithDefault"]
    (result,) = session_call(built.graph_def, ["y:0"], feed, intra=1, inter=1)()
    np.testing.assert_array_equal(result, np.repeat(value * 2, batch, 0))


def test_constants_are_inputs_of_their_models() -> None:
    assert {name: model.constants for name, model in MODELS.items() if model.constants} == {
        "deepbrain_unet3d": ("training:0",)
    }
