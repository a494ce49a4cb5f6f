"""Bad input: each gives one clear ModelError with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.load.models import Linear, frozen_graph, save
from tfgraft.errors import ModelError
from tfgraft.load import load


def dangling(graph_def: Any) -> None:
    next(n for n in graph_def.node if n.name == "relu").input[0] = "biass"


def twice(graph_def: Any) -> None:
    graph_def.node.add().CopyFrom(graph_def.node[0])


def cycle(graph_def: Any) -> None:
    next(n for n in graph_def.node if n.name == "mm").input[0] = "relu"


def custom_op(graph_def: Any) -> None:
    graph_def.node.add(name="mine", op="MyCustomOp")


def nameless(graph_def: Any) -> None:
    graph_def.node.add(op="NoOp")


def opless(graph_def: Any) -> None:
    graph_def.node.add(name="nothing")


def empty(graph_def: Any) -> None:
    graph_def.Clear()


def wrong_type(graph_def: Any) -> None:
    next(n for n in graph_def.node if n.name == "relu").attr["T"].type = 7


def variables(graph_def: Any) -> None:
    with tf.Graph().as_default() as graph:
        v = tf.compat.v1.get_variable("dense/kernel", [2], use_resource=False)
        tf.identity(v, name="y")
    graph_def.CopyFrom(graph.as_graph_def())


def no_outputs(graph_def: Any) -> None:
    graph_def.Clear()
    graph_def.node.add(name="nothing", op="NoOp")


def resource_input(graph_def: Any) -> None:
    with tf.Graph().as_default() as graph:
        handle = tf.compat.v1.placeholder(tf.resource, [], "handle")
        tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32, name="y")
    graph_def.CopyFrom(graph.as_graph_def())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (dangling, r"Node 'relu' \(Relu\) .* reads 'biass', which does not exist\. Did you mean 'bias'"),
        (twice, "has two nodes named 'x'"),
        (cycle, "has a cycle that is not a loop: .*relu -> mm"),
        (custom_op, r"does not know: MyCustomOp\..*tf\.load_op_library"),
        (nameless, "has no name"),
        (opless, "'nothing' .* has no op"),
        (empty, "holds an empty graph"),
        (wrong_type, "TensorFlow does not accept the graph"),
        (variables, r"is not frozen: .*dense/kernel.*Give the SavedModel"),
        (no_outputs, "No output was found.*--outputs"),
        (resource_input, "Input 'handle' is a resource"),
    ],
)
def test_damaged_graphs(damage: Callable[[Any], None], message: str, tmp_path: Path) -> None:
    graph_def = frozen_graph()
    damage(graph_def)
    with pytest.raises(ModelError, match=message):
        load(graph_def)
    if graph_def.node:
        path = tmp_path / "g.pb"
        path.write_bytes(graph_def.SerializeToString())
        with pytest.raises(ModelError, match=message):
            load(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("relu_", "no node 'relu_' .* Did you mean 'relu'"),
        ("y:1", "'y' .* has 1 output; there is no 'y:1'"),
        ("^y", "is not the name of a tensor"),
        ("", "is not the name of a tensor"),
    ],
)
def test_wrong_outputs(name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load(frozen_graph(), outputs=[name])
    with pytest.raises(ModelError, match="list of outputs is empty"):
        load(frozen_graph(), outputs=[])


def outcome(path: Path) -> str:
    try:
        return "a graph" if load(path).outputs else "no outputs"
    except ModelError as error:
        return "refused by name" if str(path) in str(error) else str(error)


def test_random_and_truncated_bytes_never_load(tmp_path: Path) -> None:
    whole = frozen_graph().SerializeToString()
    path = tmp_path / "g.pb"
    random = np.random.default_rng(0)
    for content in (b"", b"\0", b"hello world", *(random.bytes(n) for n in (1, 10, 300, 5000))):
        path.write_bytes(content)
        with pytest.raises(ModelError):
            load(path)
    # Cut between two nodes, what is left is a smaller graph; cut anywhere else, it is damaged.
    for size in range(1, len(whole), 97):
        path.write_bytes(whole[:size])
        assert outcome(path) in ("a graph", "refused by name")


def test_paths(tmp_path: Path) -> None:
    (tmp_path / "model.pb").write_bytes(frozen_graph().SerializeToString())
    with pytest.raises(ModelError, match=r"no file or directory .*Did you mean 'model\.pb'"):
        load(tmp_path / "modle.pb")
    with pytest.raises(ModelError, match=r"holds no saved_model\.pb"):
        load(tmp_path)
    with pytest.raises(ModelError, match="has no signatures to choose 'a' from"):
        load(tmp_path / "model.pb", signature="a")
    with pytest.raises(ModelError, match="is a file"):
        load(tmp_path / "model.pb", tags=["serve"])
    for bad in (tmp_path / "a.keras", tmp_path / "a.h5"):
        bad.write_bytes(b"not a model")
        with pytest.raises(ModelError, match="cannot be read as a Keras model"):
            load(bad)
    text = tmp_path / "a.pbtxt"
    text.write_text("node { name: }")
    with pytest.raises(ModelError, match="not a GraphDef in text form"):
        load(text)


def test_damaged_saved_models(tmp_path: Path) -> None:
    path = save(Linear(), tmp_path / "m")
    proto = path / "saved_model.pb"
    whole = proto.read_bytes()
    for content in (b"", b"garbage" * 30, whole[: len(whole) // 2]):
        proto.write_bytes(content)
        with pytest.raises(ModelError, match=str(path)):
            load(path)
    proto.write_bytes(whole)
    for file in (path / "variables").iterdir():
        file.unlink()
    with pytest.raises(ModelError, match="cannot load"):
        load(path)


@pytest.mark.parametrize("thing", [None, 3, object(), [1], {"a": 1}])
def test_things_that_are_no_models(thing: Any) -> None:
    with pytest.raises(ModelError, match="is not a model"):
        load(thing)


def test_a_denylist_that_is_a_string() -> None:
    with pytest.raises(ValueError, match=r"write denylist=\['Relu'\]"):
        tfgraft.plan(tf.function(tf.nn.relu).get_concrete_function(tf.TensorSpec([3])), denylist="Relu")
