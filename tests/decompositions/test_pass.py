"""The decompose pass: when it applies, and what becomes of names, control edges, devices and loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import NodeError, PassContext, PassResult
from tfgraft.passes.decompose import DECOMPOSED, Decompose
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.registry.registry import Registry

_X = np.array([[0.5, -1.0, 2.0]], np.float32)


@pytest.fixture
def registry() -> Registry:
    return Registry.default()


def _graph(build: Callable[[Any], Any], shape: Any = (1, 3)) -> tuple[Graph, list[Any]]:
    """Build a graph on placeholder x; return it with shapes and the values of its fetches."""
    g = tf.Graph()
    with g.as_default():
        x = tf.compat.v1.placeholder(tf.float32, shape, "x")
        outs = tf.nest.flatten(build(x))
        with tf.compat.v1.Session(graph=g) as session:
            values = session.run(outs, {x: _X})
    fetches = [TensorRef(t.op.name, t.value_index) for t in outs]
    graph = from_graph_def(g.as_graph_def(), feeds=[TensorRef("x")], fetches=fetches)
    InferShapes().run(graph, PassContext(Registry()))
    return graph, values


def _decompose(graph: Graph, registry: Registry) -> tuple[PassResult, PassContext]:
    ctx = PassContext(registry)
    with registry:
        result = Decompose().run(graph, ctx)
    assert graph.verify() == []
    return result, ctx


def _values(graph: Graph) -> list[Any]:
    g = tf.Graph()
    with g.as_default():
        tf.graph_util.import_graph_def(to_graph_def(graph), name="")
    with tf.compat.v1.Session(graph=g) as session:
        values: list[Any] = session.run([str(f) for f in graph.fetches], {"x:0": _X})
    return values


def _ops(graph: Graph) -> list[str]:
    return [node.op for node in graph]


def test_two_in_a_row_are_both_decomposed(registry: Registry) -> None:
    graph, want = _graph(lambda x: tf.math.erfc(tf.math.erfc(x)) + 1.0)
    result, ctx = _decompose(graph, registry)
    assert result.changed
    assert "Erfc" not in _ops(graph)
    assert [d.message for d in ctx.diagnostics if d.code == "decomposed"] == [
        "2 Erfc decomposed by tfgraft.converters.decompositions.elementary."
    ]
    assert set(ctx.results[DECOMPOSED]) == {("", "Erfc"), ("", "Erfc_1")}
    np.testing.assert_allclose(_values(graph)[0], want[0], atol=1e-6)


def test_nothing_to_do_changes_nothing(registry: Registry) -> None:
    graph, _ = _graph(lambda x: tf.nn.relu(x) + 1.0)
    before = to_graph_def(graph)
    result, _ = _decompose(graph, registry)
    assert not result.changed
    assert to_graph_def(graph) == before


def test_an_unknown_engine_leaves_the_graph_alone(registry: Registry) -> None:
    graph, _ = _graph(tf.math.erfc)
    assert not Decompose().run(graph, PassContext(registry, engine="none")).changed


def test_a_fetched_name_survives(registry: Registry) -> None:
    graph, want = _graph(lambda x: tf.math.erfc(x, name="wanted"))
    _decompose(graph, registry)
    assert graph.node("wanted").op == "Identity"
    np.testing.assert_allclose(_values(graph)[0], want[0], atol=1e-6)


def test_several_outputs_survive_as_one_node(registry: Registry) -> None:
    @registry.decomposition("TopKV2")
    def two(x: Any, k: Any) -> Any:
        return tf.nn.relu(x[:, :2]), tf.cast(x[:, 1:], tf.int32)

    graph, _ = _graph(lambda x: tuple(tf.math.top_k(x, 2)))
    _decompose(graph, registry)
    assert graph.node("TopKV2").op == "IdentityN"
    values = _values(graph)
    np.testing.assert_array_equal(values[0], np.maximum(_X[:, :2], 0))
    np.testing.assert_array_equal(values[1], _X[:, 1:].astype(np.int32))


def test_control_edges_and_device_are_kept(registry: Registry) -> None:
    def build(x: Any) -> Any:
        first = tf.identity(x, name="first")
        with tf.control_dependencies([first]), tf.device("/device:CPU:0"):
            y = tf.math.erfc(x, name="e")
        with tf.control_dependencies([y]):
            return tf.nn.relu(x, name="last")

    graph, _ = _graph(build)
    _decompose(graph, registry)
    assert "Erfc" not in _ops(graph)
    inner = [n for n in graph if n.name.startswith("e/")]
    assert inner
    assert {n.device for n in inner} == {"/device:CPU:0"}
    assert "first" in graph.control_inputs("e/Erf")
    assert graph.control_inputs("last") == ("e",)


def test_inside_a_v1_loop(registry: Registry) -> None:
    tf.compat.v1.disable_control_flow_v2()
    try:
        graph, want = _graph(
            lambda x: tf.compat.v1.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, tf.math.erfc(v)), [0, x])[1]
        )
    finally:
        tf.compat.v1.enable_control_flow_v2()
    assert "Enter" in _ops(graph)
    _decompose(graph, registry)
    assert "Erfc" not in _ops(graph)
    np.testing.assert_allclose(_values(graph)[0], want[0], atol=1e-6)


def test_inside_a_function_body(registry: Registry) -> None:
    tf.compat.v1.enable_control_flow_v2()
    graph, want = _graph(lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: tf.math.erfc(x), lambda: x))
    bodies = [graph.library.body(name) for name in graph.library]
    assert any("Erfc" in _ops(b) for b in bodies if b is not None)
    result, _ = _decompose(graph, registry)
    assert result.changed
    ops = [n.op for function in to_graph_def(graph).library.function for n in function.node_def]
    assert "Erf" in ops
    assert "Erfc" not in ops
    np.testing.assert_allclose(_values(graph)[0], want[0], atol=1e-6)


def test_a_users_decomposition_beats_a_built_in_converter(registry: Registry) -> None:
    graph, _ = _graph(tf.nn.relu)
    assert not _decompose(graph, registry)[0].changed
    registry.decomposition("Relu")(lambda x: tf.maximum(x, 0.0))
    assert _decompose(graph, registry)[0].changed
    assert "Maximum" in _ops(graph)


def test_a_built_in_decomposition_does_not_beat_a_users_converter(registry: Registry) -> None:
    graph, _ = _graph(tf.math.erfc)
    registry.converter("Erfc", engine="onnx")(lambda ctx, view: None)
    assert not _decompose(graph, registry)[0].changed


def test_its_own_op_within_a_decomposition_is_the_op_itself(registry: Registry) -> None:
    registry.decomposition("Relu")(lambda x: tf.nn.relu(x) + 0.0)
    graph, want = _graph(tf.nn.relu)
    assert _decompose(graph, registry)[0].changed
    assert _ops(graph).count("Relu") == 1
    np.testing.assert_array_equal(_values(graph)[0], want[0])


def test_decompositions_are_decomposed(registry: Registry) -> None:
    registry.decomposition("Lgamma")(lambda x: tf.math.ndtri(x) + 1)
    registry.decomposition("Ndtri")(lambda x: tf.abs(x) * 2)
    graph, _ = _graph(tf.math.lgamma)
    _decompose(graph, registry)
    assert not {"Lgamma", "Ndtri"} & set(_ops(graph))
    np.testing.assert_allclose(_values(graph)[0], np.abs(_X) * 2 + 1)


def test_what_the_engine_does_not_take_is_not_used(registry: Registry) -> None:
    graph, _ = _graph(tf.math.lgamma)
    registry.decomposition("Lgamma")(lambda x: tf.cast(tf.strings.to_number(tf.strings.as_string(x)), x.dtype))
    result, ctx = _decompose(graph, registry)
    assert not result.changed
    [said] = [d for d in ctx.diagnostics if d.code == "not-decomposed"]
    assert "AsString" in said.message


def test_attributes_come_as_keyword_only_parameters(registry: Registry) -> None:
    seen: dict[str, Any] = {}

    @registry.decomposition("LeakyRelu")
    def leaky(x: Any, *, alpha: float, T: Any) -> Any:
        seen.update(alpha=alpha, T=T)
        return tf.maximum(x, x * alpha)

    graph, want = _graph(lambda x: tf.nn.leaky_relu(x, 0.25))
    _decompose(graph, registry)
    assert seen == {"alpha": 0.25, "T": tf.float32}
    np.testing.assert_allclose(_values(graph)[0], want[0])


def test_constants_come_with_their_values(registry: Registry) -> None:
    @registry.decomposition("Sum")
    def add(x: Any, axes: Any, *, keep_dims: bool) -> Any:
        assert int(tf.get_static_value(axes)) == 1
        return tf.add_n([x[:, i] for i in range(3)])

    graph, want = _graph(lambda x: tf.reduce_sum(x, 1))
    _decompose(graph, registry)
    assert "Sum" not in _ops(graph)
    np.testing.assert_allclose(_values(graph)[0], want[0])


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: 1 / 0, "raised ZeroDivisionError"),
        (lambda x: tf.cast(x, tf.int32), "returned int32 as output 0; the node's is float32"),
        (lambda x: (x, x), "returned 2 tensors"),
        (lambda x: tf.reduce_sum(x), "returned shape"),
        (lambda x: "text", "returned no tensor"),
        (lambda: None, "raised TypeError"),
    ],
)
def test_a_wrong_decomposition_is_named(registry: Registry, function: Any, reason: str) -> None:
    graph, _ = _graph(lambda x: tf.math.erfc(x, name="here"))
    before = to_graph_def(graph)
    registry.decomposition("Erfc")(function)
    with pytest.raises(NodeError, match=reason) as caught:
        Decompose().run(graph, PassContext(registry))
    assert caught.value.node == "here"
    assert __name__ in str(caught.value)
    assert to_graph_def(graph) == before


def test_a_tf_function_is_taken_apart(registry: Registry) -> None:
    registry.decomposition("Erfc")(tf.function(lambda x: 1 - tf.math.erf(x)))
    graph, want = _graph(tf.math.erfc)
    _decompose(graph, registry)
    assert "Erf" in _ops(graph)
    np.testing.assert_allclose(_values(graph)[0], want[0], atol=1e-6)
