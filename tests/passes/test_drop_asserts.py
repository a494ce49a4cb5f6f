"""drop_asserts: checks that cannot fail are gone, all others are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.passes.graft import X, build, chain, run, v1, x
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext
from tfgraft.passes.drop_asserts import DropAsserts
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.passes.pipeline import Pipeline
from tfgraft.registry.registry import Registry


def dropped(graph_def: Any, *feeds: str) -> Graph:
    graph = from_graph_def(
        graph_def, feeds=[TensorRef.parse(f) for f in ("x:0", *feeds)], fetches=[TensorRef.parse("out:0")]
    )
    Pipeline([InferShapes(), DropAsserts()]).run(graph, PassContext(Registry()))
    assert graph.verify() == []
    return graph


def checked(value: Any, condition: Any) -> Any:
    """Return what waits for a check of a condition, which would print the largest value."""
    # Without the branch that `tf.debugging.Assert` puts around it.
    with tf.control_dependencies([tf.raw_ops.Assert(condition=condition, data=[tf.reduce_max(value)])]):
        return tf.tanh(value)


def emit(function: Callable[[], Any], **options: Any) -> Any:
    return build(lambda: tf.identity(function(), name="out"), **options)


def asserts(graph: Graph) -> list[str]:
    return [node.name for node in graph if node.op == "Assert"]


def test_what_holds_is_dropped_with_what_it_would_print() -> None:
    graph_def = emit(lambda: checked(x(), tf.identity(tf.constant(True))))
    graph = dropped(graph_def)
    ops = {node.op for node in graph}
    assert "Assert" not in ops
    assert "Max" not in ops
    (got,), (want,) = (run(each, ("out:0",), {"x:0": X}) for each in (to_graph_def(graph), graph_def))
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("how", ["false", "fed", "computed"])
def test_what_may_fail_stays(how: str) -> None:
    def make() -> Any:
        value = x()
        conditions = {
            "false": lambda: tf.constant(False, name="ok"),
            "fed": lambda: tf.constant(True, name="ok"),
            "computed": lambda: tf.reduce_all(value < 1.5, name="ok"),
        }
        return checked(value, conditions[how]())

    graph = dropped(emit(make), *(("ok:0",) if how == "fed" else ()))
    assert asserts(graph)
    feeds = {"x:0": X, **({"ok:0": np.asarray(False)} if how == "fed" else {})}
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(to_graph_def(graph), ("out:0",), feeds)


@pytest.mark.parametrize("old", [True, False], ids=["tensorflow 1", "tensorflow 2"])
def test_in_branches(old: bool) -> None:
    def make() -> Any:
        value = x()
        true = tf.constant(True)
        return tf.cond(
            tf.reduce_max(value) > 0.0, lambda: checked(value, true), lambda: checked(value, tf.greater(1, 2))
        )

    graph_def = emit(make, control_flow_v1=old)
    graph = dropped(graph_def)
    (got,), (want,) = (run(each, ("out:0",), {"x:0": X}) for each in (to_graph_def(graph), graph_def))
    np.testing.assert_array_equal(got, want)
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(to_graph_def(graph), ("out:0",), {"x:0": -np.abs(X) - 1})


def test_a_check_of_a_known_shape_keeps_nothing_from_the_engine() -> None:
    def make() -> Any:
        value = x(3, 4)
        with tf.control_dependencies([v1.assert_equal(tf.shape(value)[1], 4)]):
            return chain(tf.identity(value), 4)

    grafted = tfgraft.optimize(emit(make), outputs=["out"], engine="onnxruntime", strict=True)
    predict = grafted.predictor()
    assert predict.is_direct
    (want,) = run(emit(make), ("out:0",), {"x:0": X})
    np.testing.assert_allclose(predict(X)[0], want, rtol=1e-5)
