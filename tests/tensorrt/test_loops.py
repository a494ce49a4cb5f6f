"""Branches and loops in whole models: recurrent layers, tensor lists, and the bodies that engines take with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.cases.case import graph_of
from tests.tensorrt import control_flow_cases
from tfgraft.graph.views import node_view
from tfgraft.passes.default import default_pipeline
from tfgraft.plugins.reference.plugin import plugin as reference
from tfgraft.plugins.tensorrt.plugin import plugin as tensorrt
from tfgraft.registry.discovery import add_plugin
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Unsupported

_X = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
_KERNEL = np.random.default_rng(1).standard_normal((3, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Hold the engine `reference`, with what TensorRT takes."""
    registry = Registry()
    for plugin in (tensorrt(), reference()):
        add_plugin(registry, plugin, "built-in")
    return registry


def _graft(model: Callable[..., Any], specs: list[Any], registry: Registry) -> Any:
    function = tf.function(model, input_signature=specs).get_concrete_function()
    pipeline = default_pipeline(minimum_segment_size=1, cut_light=False)
    return tfgraft.optimize(function, engine="reference", registry=registry, pipeline=pipeline)


def _run(grafted: Any, *inputs: Any) -> list[Any]:
    tfgraft.runtime.reset_counters()
    got = grafted.function()(*map(tf.constant, inputs))
    counters = tfgraft.runtime.counters()
    assert counters.calls > 0
    assert counters.fallbacks == 0
    return [np.asarray(value) for value in got]


def _layers() -> dict[str, Callable[[], Any]]:
    layers = keras.layers
    return {
        "lstm": lambda: layers.LSTM(4, return_sequences=True),
        "lstm-last": lambda: layers.LSTM(4),
        "gru": lambda: layers.GRU(4, return_sequences=True),
        "gru-backwards": lambda: layers.GRU(4, go_backwards=True, reset_after=False),
        "simple": lambda: layers.SimpleRNN(4),
        "both-ways": lambda: layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        "masked": lambda: keras.Sequential([layers.Masking(0.0), layers.LSTM(4, return_sequences=True)]),
        "stacked": lambda: keras.Sequential([layers.LSTM(4, return_sequences=True), layers.GRU(3)]),
    }


@pytest.mark.parametrize("shape", [(2, 5, 3), (None, None, 3)], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", _layers())
def test_a_recurrent_layer_is_one_engine(name: str, shape: Any, registry: Registry) -> None:
    keras.utils.set_random_seed(1)
    layer = _layers()[name]()
    x = _X.copy()
    x[1, 3:] = 0
    want = layer(x)
    grafted = _graft(lambda x: layer(x), [tf.TensorSpec(shape)], registry)
    assert len(grafted.report.clusters) == 1
    assert not [n for n in grafted.report.nodes if n.op in ("While", "StatelessWhile") and n.fate == "native"]
    (got,) = _run(grafted, x)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def _running_sum(x: Any) -> Any:
    items = tf.TensorArray(tf.float32, size=tf.shape(x)[0], element_shape=[3])
    _, _, items = tf.while_loop(
        lambda i, *_: i < tf.shape(x)[0],
        lambda i, total, items: (i + 1, total + x[i], items.write(i, total + x[i])),
        [0, tf.zeros([3]), items],
    )
    return items.stack()


def _first_three(x: Any) -> Any:
    """Write fewer elements than the list has; the rest are zeros. What is read is read in another order."""
    source = tf.TensorArray(tf.float32, size=5, element_shape=[3]).unstack(x)
    items = tf.TensorArray(tf.float32, size=5, element_shape=[3])
    _, items = tf.while_loop(
        lambda i, _: i < 3, lambda i, items: (i + 1, items.write(i, source.read(4 - i) * 2.0)), [0, items]
    )
    return items.stack()


@pytest.mark.parametrize("rows", [5, None])
@pytest.mark.parametrize("model", [_running_sum, _first_three])
def test_tensor_lists_are_tensors(model: Any, rows: Any, registry: Registry) -> None:
    grafted = _graft(model, [tf.TensorSpec([rows, 3])], registry)
    assert len(grafted.report.clusters) == 1
    x = _X[0]
    (got,) = _run(grafted, x)
    np.testing.assert_allclose(got, model(tf.constant(x)), rtol=1e-5, atol=1e-6)


def _backwards(x: Any) -> Any:
    items = tf.TensorArray(tf.float32, size=5, element_shape=[3])
    _, items = tf.while_loop(lambda i, _: i < 5, lambda i, items: (i + 1, items.write(4 - i, x[i] * 2.0)), [0, items])
    return items.stack()


def test_a_list_that_is_written_in_another_order_stays(registry: Registry) -> None:
    grafted = _graft(_backwards, [tf.TensorSpec([5, 3])], registry)
    said = [d for d in grafted.report.diagnostics if d.origin == "outline_loops"]
    assert [d.code for d in said] == ["control-flow"]
    assert "tensor list" in said[0].message


def _through_two_loops(x: Any) -> Any:
    items = tf.TensorArray(tf.float32, size=5, element_shape=[3])
    _, items = tf.while_loop(lambda i, _: i < 5, lambda i, items: (i + 1, items.write(i, x[i] * 2.0)), [0, items])
    return tf.while_loop(lambda i, _: i < 5, lambda i, total: (i + 1, total + items.read(i)), [0, tf.zeros([3])])[1]


def test_a_list_that_goes_from_loop_to_loop_stays(registry: Registry) -> None:
    grafted = _graft(_through_two_loops, [tf.TensorSpec([5, 3])], registry)
    said = [d for d in grafted.report.diagnostics if d.origin == "outline_loops"]
    assert {d.code for d in said} == {"control-flow"}
    assert "made by" in said[0].message


@pytest.mark.parametrize("op", ["StatelessIf", "StatelessWhile", "PartitionedCall"])
def test_a_function_that_cannot_be_read_is_refused(op: str, registry: Registry) -> None:
    case = next(c for c in control_flow_cases.CASES if c.op == op and c.refusal is None)
    graph, _ = graph_of(case)
    name = next(node.name for node in graph if node.op == op)
    support = registry.resolve(replace(node_view(graph, name), library=None), ("tensorrt",)).support
    assert isinstance(support, Unsupported)
    assert support.code == "control-flow"


def _branch(p: Any, x: Any) -> Any:
    kernel = tf.constant(_KERNEL)
    y = tf.nn.relu(x @ kernel)
    z = tf.cond(p, lambda: tf.tanh(y @ kernel) * 2.0, lambda: tf.nn.softmax(y) - 1.0)
    return tf.nn.relu(z @ kernel)


def test_a_branch_is_part_of_the_engine_around_it(registry: Registry) -> None:
    """No engine is built for the branches on their own: their nodes are the outer engine's."""
    grafted = _graft(_branch, [tf.TensorSpec([], tf.bool), tf.TensorSpec([2, 3])], registry)
    assert [c.function for c in grafted.report.clusters] == [""]
    bodies = [n for n in grafted.report.nodes if n.function and n.op in ("Tanh", "Softmax", "Sub", "Mul")]
    assert {(n.fate, n.cluster) for n in bodies} == {("engine", "engine_0")}
    for p in (True, False):
        (got,) = _run(grafted, p, _X[0, :2])
        np.testing.assert_allclose(got, _branch(tf.constant(p), _X[0, :2]), rtol=1e-5, atol=1e-6)


def _half_taken(p: Any, x: Any) -> Any:
    def text() -> Any:
        return tf.strings.to_number(tf.strings.as_string(tf.tanh(tf.nn.relu(x)) + 1.0, precision=9))

    return tf.nn.relu(tf.cond(p, text, lambda: tf.nn.softmax(tf.nn.relu(x)) - 1.0))


def test_a_branch_that_cannot_be_taken_is_named_and_the_others_have_engines(registry: Registry) -> None:
    grafted = _graft(_half_taken, [tf.TensorSpec([], tf.bool), tf.TensorSpec([2, 3])], registry)
    (node,) = [n for n in grafted.report.nodes if n.op in ("If", "StatelessIf")]
    assert (node.fate, node.code) == ("native", "no-converter")
    assert "AsString" in node.reason
    assert any(c.function for c in grafted.report.clusters)
    for p in (True, False):
        (got,) = _run(grafted, p, _X[0, :2])
        np.testing.assert_allclose(got, _half_taken(tf.constant(p), _X[0, :2]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("denied", ["Softmax", "cond/Softmax*", "*/Softmax*"])
def test_the_denylist_holds_in_functions_too(denied: str, registry: Registry) -> None:
    function = tf.function(_branch, input_signature=[tf.TensorSpec([], tf.bool), tf.TensorSpec([2, 3])])
    report = tfgraft.plan(function.get_concrete_function(), engine="reference", registry=registry, denylist=[denied])
    (node,) = [n for n in report.nodes if n.op in ("If", "StatelessIf")]
    assert (node.fate, node.code) == ("native", "denylist")
    assert "Softmax" in node.reason
    assert not [d for d in report.diagnostics if d.code == "denylist" and d.severity == "warning"]
