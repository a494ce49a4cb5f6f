"""prune: what is needed stays, in the graph and in function bodies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.graph.models import function
from tests.passes.graft import build, run, v1, x
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext
from tfgraft.passes.prune import Prune
from tfgraft.registry.registry import Registry


def pruned(graph_def: Any, *fetches: str, **ends: Any) -> Graph:
    graph = from_graph_def(graph_def, fetches=[TensorRef.parse(f) for f in fetches], **ends)
    Prune().run(graph, PassContext(Registry()))
    return graph


def names(graph: Graph) -> set[str]:
    return {node.name for node in graph}


def model() -> None:
    a = x()
    tf.sin(a, name="unused")
    with tf.control_dependencies([tf.no_op("before")]):
        b = tf.tanh(a, name="b")
    tf.identity(tf.split(b, 2, 1, name="parts")[1], name="out")
    v1.placeholder(tf.float32, [], "other")


def test_what_no_fetch_needs_goes_and_control_inputs_stay() -> None:
    graph = pruned(build(model), "out")
    assert names(graph) == {"x", "before", "b", "parts", "parts/split_dim", "out"}
    assert graph.verify() == []


def test_feeds_and_keep_nodes_stay() -> None:
    graph = pruned(build(model), "b", feeds=[TensorRef("x"), TensorRef("other")], keep=["unused"])
    assert names(graph) == {"x", "before", "b", "other", "unused"}


def test_nobody_said_what_is_needed() -> None:
    graph_def = build(model)
    assert len(pruned(graph_def)) == len(graph_def.node)


def test_pruning_twice_changes_nothing() -> None:
    graph = pruned(build(model), "out")
    result = Prune().run(graph, PassContext(Registry()))
    assert not result.changed
    assert result.summary == "removed 0 nodes"


def test_a_loop_stays_whole() -> None:
    def loop() -> None:
        _, out, _ = v1.while_loop(
            lambda i, v, w: i < 3, lambda i, v, w: (i + 1, tf.tanh(v), tf.sin(w)), [tf.constant(0), x(), x_two()]
        )
        tf.identity(out, name="out")

    def x_two() -> Any:
        return v1.placeholder(tf.float32, [None, 4], "x2")

    graph_def = build(loop, control_flow_v1=True)
    graph = pruned(graph_def, "out")
    assert graph.verify() == []
    assert "while/Sin" not in names(graph), "the other loop variable is not needed"
    feed = {"x:0": np.ones([1, 4], np.float32)}
    np.testing.assert_array_equal(
        run(to_graph_def(graph), ["out:0"], feed)[0], run(graph_def, ["out:0"], {**feed, "x2:0": feed["x:0"]})[0]
    )


def test_what_has_an_effect_stays_in_function_bodies() -> None:
    @function(tf.TensorSpec([4], tf.float32))
    def helper(v: Any) -> Any:
        tf.debugging.assert_less(tf.reduce_max(v), 10.0, message="too large")
        tf.sin(v, name="unused")
        return tf.tanh(v)

    @function(tf.TensorSpec([4], tf.float32, name="x"))
    def main(x: Any) -> Any:
        return tf.identity(helper(x), name="out")

    graph_def = main.get_concrete_function().graph.as_graph_def()
    graph = pruned(graph_def, "out")
    (body,) = [b for b in graph.library.bodies() if any(n.op == "Tanh" for n in b)]
    ops = {node.op for node in body}
    assert "Sin" not in ops
    assert {"Tanh", "Assert"} <= ops or {"Tanh", "If"} <= ops
    feed = np.ones(4, np.float32)
    np.testing.assert_allclose(run(to_graph_def(graph), ["out:0"], {"x:0": feed})[0], np.tanh(feed), rtol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="too large"):
        run(to_graph_def(graph), ["out:0"], {"x:0": feed * 100})
