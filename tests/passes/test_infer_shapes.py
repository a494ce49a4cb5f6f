"""infer_shapes: what is known, which unknown dimensions are equal, and function bodies."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from tests.graph.models import function
from tests.passes.graft import build, v1
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import Shape
from tfgraft.graph.views import tensor_info
from tfgraft.passes.base import PassContext
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.registry.registry import Registry


def inferred(graph_def: Any) -> tuple[Graph, PassContext]:
    graph = from_graph_def(graph_def)
    ctx = PassContext(Registry())
    InferShapes().run(graph, ctx)
    return graph, ctx


def shape(graph: Graph, text: str) -> Shape:
    return tensor_info(graph, TensorRef.parse(text)).shape


def test_static_shapes_and_types() -> None:
    def model() -> None:
        a = v1.placeholder(tf.float16, [2, 6], "a")
        tf.split(a, 3, axis=1, name="parts")
        tf.math.top_k(a, 2, name="top")
        tf.cast(tf.shape(a, name="shape"), tf.int64, name="cast")

    graph, _ = inferred(build(model))
    for port in range(3):
        assert str(tensor_info(graph, TensorRef("parts", port))) == "float16[2, 2]"
    assert str(tensor_info(graph, TensorRef("top", 1))) == "int32[2, 2]"
    assert str(tensor_info(graph, TensorRef("cast"))) == "int64[2]"


def test_equal_unknown_dimensions_have_equal_symbols() -> None:
    def model() -> None:
        a = v1.placeholder(tf.float32, [None, None, 3], "a")
        b = v1.placeholder(tf.float32, [None, None, 3], "b")
        y = tf.nn.relu(tf.tanh(a) + 1.0, name="y")
        tf.concat([y, b], 1, name="joined")
        tf.matmul(y, tf.zeros([3, 5]), name="product")

    graph, _ = inferred(build(model))
    a, b, y = (shape(graph, n) for n in ("a", "b", "y"))
    assert a is not None
    assert b is not None
    assert a == y
    assert a[0] < 0
    assert a[1] < 0
    assert a[0] == b[0], "they are joined along dimension 1, so dimension 0 must be equal"
    assert len({a[0], a[1], b[1]}) == 3, "the others are each their own"
    joined = shape(graph, "joined")
    assert joined is not None
    assert joined[1] not in (a[1], b[1])
    product = shape(graph, "product")
    assert product is not None
    assert product[2] == 5


def test_unknown_ranks() -> None:
    def model() -> None:
        a = v1.placeholder(tf.float32, None, "a")
        tf.tanh(a, name="y")
        tf.reshape(a, [-1, 4], name="z")

    graph, _ = inferred(build(model))
    assert shape(graph, "a") is None
    assert shape(graph, "y") is None
    z = shape(graph, "z")
    assert z is not None
    assert z[0] < 0
    assert z[1] == 4


@pytest.mark.parametrize(("producer", "expected"), [(21, None), (22, ())])
def test_an_old_graph_says_nothing_by_a_scalar_placeholder(producer: int, expected: Shape) -> None:
    graph_def = graph_pb2.GraphDef()
    graph_def.versions.producer = producer
    node = graph_def.node.add(name="x", op="Placeholder")
    node.attr["dtype"].type = 1
    node.attr["shape"].shape.SetInParent()
    graph, _ = inferred(graph_def)
    assert shape(graph, "x") == expected
    with tf.Graph().as_default() as g:
        tf.graph_util.import_graph_def(graph_def, name="")
    static = g.get_tensor_by_name("x:0").shape
    assert (None if static.rank is None else tuple(static)) == expected


def bodies(graph: Graph, op: str) -> list[Graph]:
    return [b for b in graph.library.bodies() if any(n.op == op for n in b)]


def test_bodies_get_the_shapes_that_their_callers_agree_on() -> None:
    @function(tf.TensorSpec(None, tf.float32))
    def same(v: Any) -> Any:
        return tf.tanh(v)

    @function(tf.TensorSpec(None, tf.float32))
    def different(v: Any) -> Any:
        return tf.sin(v)

    @function(tf.TensorSpec(None, tf.float32))
    def ranks(v: Any) -> Any:
        return tf.cos(v)

    @function(tf.TensorSpec([None, 4], tf.float32))
    def main(x: Any) -> Any:
        a = same(x) + same(x)
        b = tf.reduce_sum(different(x)) + tf.reduce_sum(different(x[:, :2]))
        return a + b + tf.reduce_sum(ranks(x)) + ranks(tf.constant(1.0))

    graph, _ = inferred(main.get_concrete_function().graph.as_graph_def())
    found = {}
    for op in ("Tanh", "Sin", "Cos"):
        (body,) = bodies(graph, op)
        (node,) = [n for n in body if n.op == op]
        found[op] = shape(body, node.name)
    for op, last in (("Tanh", 4), ("Sin", None)):
        got = found[op]
        assert got is not None
        assert len(got) == 2
        assert got[0] < 0
        assert got[1] == last if last else got[1] < 0
    assert found["Cos"] is None


def test_what_a_loop_carries_may_change_its_shape() -> None:
    @function(tf.TensorSpec([2, 3], tf.float32))
    def main(x: Any) -> Any:
        def body(i: Any, v: Any, w: Any) -> Any:
            return i + 1, tf.concat([tf.tanh(v), v[:1]], 0), tf.sin(w)

        invariants = [tf.TensorShape([]), tf.TensorShape([None, 3]), tf.TensorShape([2, 3])]
        return tf.while_loop(lambda i, v, w: i < 3, body, [0, x, x], shape_invariants=invariants)[1:]

    graph, _ = inferred(main.get_concrete_function().graph.as_graph_def())
    (body,) = bodies(graph, "Tanh")
    tanh = shape(body, next(n.name for n in body if n.op == "Tanh"))
    assert tanh is not None
    assert tanh[0] < 0, "two rows hold for the first round only"
    assert shape(body, next(n.name for n in body if n.op == "Sin")) == (2, 3)


def test_a_graph_that_grappler_does_not_know_keeps_its_types_and_says_why() -> None:
    graph_def = build(lambda: tf.tanh(v1.placeholder(tf.float32, [2], "x"), name="y"))
    graph_def.node.add(name="odd", op="NoSuchOp", input=["y"])
    graph, ctx = inferred(graph_def)
    assert tensor_info(graph, TensorRef("y")).dtype == "float32"
    (told,) = ctx.diagnostics
    assert told.code == "shapes"
    assert told.severity == "warning"
    assert "NoSuchOp" in told.message


def test_inference_says_nothing_about_the_graph_itself() -> None:
    graph_def = build(lambda: tf.tanh(v1.placeholder(tf.float32, [2], "x"), name="y"))
    graph = from_graph_def(graph_def)
    assert not InferShapes().run(graph, PassContext(Registry())).changed


def test_a_graph_that_grappler_refuses_has_the_shapes_of_its_import() -> None:
    def model() -> None:
        a = v1.placeholder(tf.float32, [None, 6], "a")
        tf.reshape(a, [-1, 2, 3], name="three")
        tf.add(tf.shape(v1.placeholder(tf.float32, [None, None], "b"))[::-1], 1, name="reversed")

    graph, ctx = inferred(build(model))
    assert shape(graph, "three:0") == (-1, 2, 3)
    assert shape(graph, "reversed:0") == (2,)
    assert not ctx.diagnostics
