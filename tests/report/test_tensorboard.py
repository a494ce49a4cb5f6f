"""What is written for TensorBoard, read back as TensorBoard reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

import tfgraft
from tfgraft.report.report import Report
from tfgraft.runtime import OP_NAME


def graph_of(run: Path) -> Any:
    """Return the one graph that a run's one event file has."""
    (file,) = run.iterdir()
    assert "tfevents" in file.name  # what TensorBoard looks for
    records = [raw.numpy() for raw in tf.data.TFRecordDataset(str(file))]
    events = [event_pb2.Event.FromString(record) for record in records]
    assert events[0].file_version == "brain.Event:2"
    (graph,) = (tf.compat.v1.GraphDef.FromString(e.graph_def) for e in events if e.WhichOneof("what") == "graph_def")
    return graph


def scoped() -> Any:
    """x [?, 64] -> body/mm, body/relu -> text, to_number -> y: two engines with strings between them."""
    random = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 64], "x")
        w = tf.constant(random.normal(size=(64, 64)).astype("f"), name="body/w")
        h = tf.nn.relu(tf.linalg.matmul(x, w, name="body/mm"), name="body/relu")
        s = tf.strings.as_string(h, name="text")  # no engine takes strings
        tf.math.sigmoid(tf.strings.to_number(s) * 2.0 + 1.0, name="y")
    return graph.as_graph_def()


@pytest.fixture(scope="module")
def grafted() -> tfgraft.Grafted:
    return tfgraft.optimize(scoped(), outputs=["y"], minimum_segment_size=2, intra_op_threads=1)


def test_each_engine_is_one_node(grafted: tfgraft.Grafted, tmp_path: Path) -> None:
    grafted.report.to_tensorboard(tmp_path)
    before, after = graph_of(tmp_path / "before"), graph_of(tmp_path / "after")
    assert {n.name for n in before.node} == {n.name for n in grafted.loaded.graph_def.node}
    clusters = {c.id: c for c in grafted.report.clusters}
    assert len(clusters) == 2
    engines = {n.name: n for n in after.node if n.op == OP_NAME}
    assert engines.keys() == clusters.keys()  # outside of any scope, so that it is seen as it is
    assert engines["engine_0"].attr["ops"].s == b"1 MatMul, 1 Relu"
    assert next(n for n in after.node if n.name == "text").input[0] == "engine_0"
    assert len(after.library.function) == 0  # the native segments are not drawn
    assert len(grafted.graph_def.library.function) == 2


def test_nodes_can_be_coloured_by_the_engines_that_take_them(grafted: tfgraft.Grafted, tmp_path: Path) -> None:
    grafted.report.to_tensorboard(tmp_path)
    taken = {n.name: n.attr["_XlaCluster"].s.decode() for n in graph_of(tmp_path / "before").node}
    assert taken["body/mm"] == taken["body/relu"] == "engine_0"
    assert taken["y"] == "engine_1"
    assert taken["text"] == taken["x"] == ""
    after = {n.name: n.attr["_XlaCluster"].s.decode() for n in graph_of(tmp_path / "after").node}
    assert {name for name, cluster in after.items() if cluster} == {"engine_0", "engine_1"}
    assert after["engine_1"] == "engine_1"


def test_weights_and_engines_are_left_out_and_shapes_put_in(grafted: tfgraft.Grafted, tmp_path: Path) -> None:
    grafted.report.to_tensorboard(tmp_path)
    for run in ("before", "after"):
        nodes = {n.name: n for n in graph_of(tmp_path / run).node}
        weight = nodes["body/w"].attr["value"].tensor
        assert [d.size for d in weight.tensor_shape.dim] == [64, 64]
        assert weight.dtype == tf.float32.as_datatype_enum
        assert weight.tensor_content == b""
        assert sum(n.ByteSize() for n in nodes.values()) < 8192
    payload = grafted.report.clusters[0].payload_bytes
    assert nodes["engine_0"].attr["payload"].s == f"({payload} bytes)".encode()
    assert [d.size for d in nodes["engine_0"].attr["_output_shapes"].list.shape[0].dim] == [-1, 64]


def test_a_plan_has_a_graph_before_alone(tmp_path: Path) -> None:
    tfgraft.optimize(scoped(), outputs=["y"]).report.to_tensorboard(tmp_path)
    tfgraft.plan(scoped(), outputs=["y"], minimum_segment_size=2).to_tensorboard(tmp_path)
    assert list((tmp_path / "after").iterdir()) == []
    assert any(n.attr["_XlaCluster"].s for n in graph_of(tmp_path / "before").node)


def test_functions_of_native_nodes_are_drawn_and_names_do_not_collide(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 4]), tf.TensorSpec([], tf.string)])  # type: ignore[untyped-decorator]
    def f(x: Any, s: Any) -> Any:
        h = tf.nn.relu(x @ tf.ones((4, 4)) + 1.0)
        h = tf.cond(tf.equal(s, "a"), lambda: tf.strings.as_string(h), lambda: tf.strings.as_string(-h))
        return tf.identity(h, name="engine_0")

    result = tfgraft.optimize(f)
    result.report.to_tensorboard(tmp_path)
    after = graph_of(tmp_path / "after")
    branches = next(n for n in after.node if n.op in ("If", "StatelessIf"))
    drawn = {function.signature.name for function in after.library.function}
    assert {branches.attr["then_branch"].func.name, branches.attr["else_branch"].func.name} == drawn
    ops = {n.name: n.op for n in after.node}
    assert len(ops) == len(after.node)
    assert (ops["engine_0"], ops["TfGraft/engine_0"]) == ("Identity", OP_NAME)


def test_a_report_without_graphs_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="this report was made without graphs"):
        Report("onnxruntime", (), (), ()).to_tensorboard(tmp_path)


def test_reports_compare_and_are_written_without_their_graphs(grafted: tfgraft.Grafted) -> None:
    assert "graphs" not in grafted.report.to_dict()
    assert "graphs" not in repr(grafted.report)
