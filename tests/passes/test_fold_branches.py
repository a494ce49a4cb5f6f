"""fold_branches: what a constant condition chooses becomes ordinary nodes, and the numbers are TensorFlow's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.passes.graft import X, build, run, v1, x
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext
from tfgraft.passes.fold_branches import FoldBranches
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.passes.pipeline import Pipeline
from tfgraft.registry.registry import Registry

CONTROL = frozenset({"Switch", "Merge", "If", "StatelessIf", "Case", "StatelessCase"})
FEEDS = {"x:0": X}


def folded(graph_def: Any, *fetches: str, feeds: Mapping[str, Any] | None = None) -> Graph:
    """Run the pass, and compare the graph with what it was made of."""
    names, given = fetches or ("out:0",), FEEDS if feeds is None else feeds
    graph = from_graph_def(
        graph_def, feeds=[TensorRef.parse(f) for f in given], fetches=[TensorRef.parse(f) for f in names]
    )
    Pipeline([InferShapes(), FoldBranches()]).run(graph, PassContext(Registry()))
    assert graph.verify() == []
    for got, want in zip(run(to_graph_def(graph), names, given), run(graph_def, names, given), strict=True):
        np.testing.assert_array_equal(got, want)
    return graph


def ops(graph: Graph) -> set[str]:
    return {node.op for node in graph}


def emit(function: Callable[[], Any], old: bool) -> Any:
    return build(lambda: tf.identity(function(), name="out"), control_flow_v1=old)


both = pytest.mark.parametrize("old", [True, False], ids=["tensorflow 1", "tensorflow 2"])
either = pytest.mark.parametrize("switch", [True, False])


@both
@either
def test_the_branch_that_is_taken_stays(old: bool, switch: bool) -> None:
    def choose() -> Any:
        value = x()
        return tf.cond(tf.identity(tf.constant(switch)), lambda: tf.tanh(value) * 2.0, lambda: tf.nn.relu(value))

    graph = folded(emit(choose, old))
    assert not CONTROL & ops(graph)
    assert ("Tanh" in ops(graph)) is switch
    assert ("Relu" in ops(graph)) is not switch


@both
def test_branches_in_branches(old: bool) -> None:
    def choose() -> Any:
        value, switch = x(), tf.constant(True)
        inner = lambda: tf.cond(tf.logical_not(switch), lambda: value * 2.0, lambda: tf.tanh(value))  # noqa: E731
        return tf.cond(switch, inner, lambda: tf.nn.relu(value)) + 1.0

    graph = folded(emit(choose, old))
    assert not CONTROL & ops(graph)
    assert "Tanh" in ops(graph)


@both
def test_a_fed_switch_keeps_its_branches(old: bool) -> None:
    def choose() -> Any:
        value, switch = x(), v1.placeholder_with_default(tf.constant(False), [], "switch")
        return tf.cond(switch, lambda: tf.tanh(value), lambda: tf.nn.relu(value))

    graph_def = emit(choose, old)
    for switch in (True, False):
        assert CONTROL & ops(folded(graph_def, feeds={**FEEDS, "switch:0": np.array(switch)}))


@both
def test_a_fed_constant_keeps_its_branches(old: bool) -> None:
    def choose() -> Any:
        value, switch = x(), tf.constant(False, name="switch")
        return tf.cond(switch, lambda: tf.tanh(value), lambda: tf.nn.relu(value))

    assert CONTROL & ops(folded(emit(choose, old), feeds={**FEEDS, "switch:0": np.array(True)}))


@pytest.mark.parametrize(
    ("index", "taken"), [(0, "Tanh"), (1, "Relu"), (2, "Sigmoid"), (7, "Sigmoid"), (-1, "Sigmoid")]
)
def test_cases(index: int, taken: str) -> None:
    def choose() -> Any:
        value = x()
        branches = [lambda: tf.tanh(value), lambda: tf.nn.relu(value), lambda: tf.sigmoid(value)]
        return tf.switch_case(tf.constant(index), branches)

    graph = folded(emit(choose, False))
    assert not CONTROL & ops(graph)
    assert taken in ops(graph)


def test_a_merge_and_its_index_may_be_fetched() -> None:
    def make() -> None:
        value, switch = x(), tf.constant(True)
        off, on = v1.raw_ops.Switch(data=value, pred=switch)
        tf.raw_ops.Merge(inputs=[tf.nn.relu(off), tf.tanh(on)], name="m")

    folded(build(make), "m:0", "m:1")


def test_what_a_dead_branch_fetches_does_not_stop_the_pass() -> None:
    def make() -> None:
        value, switch = x(), tf.constant(True)
        result = tf.raw_ops.Switch(data=value, pred=switch, name="s")
        tf.tanh(result[1], name="out")

    folded(build(make), "s:1", "out:0")


def test_a_branch_with_effects_that_nothing_needs_stays() -> None:
    def choose() -> Any:
        value = x()

        def checked() -> Any:
            with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(value < 9.0), [value])]):
                return tf.tanh(value)

        return tf.cond(tf.constant(True), checked, lambda: value)

    assert CONTROL & ops(folded(emit(choose, False)))


def test_branches_in_a_loop() -> None:
    def looped() -> Any:
        switch = tf.constant(False)
        body = lambda i, v: (i + 1, tf.cond(switch, lambda: v * 2.0, lambda: tf.tanh(v)))  # noqa: E731
        return tf.while_loop(lambda i, v: i < 3, body, [tf.constant(0), x(3, 4)])[1]

    for old in (True, False):
        folded(emit(looped, old))
