"""free_constants: control edges of constants that only part clusters."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tests.passes.graft import X, build, check, graft, v1, x
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext
from tfgraft.passes.free_constants import FreeConstants
from tfgraft.registry.registry import Registry


def freed(graph_def: Any, fetch: str = "out") -> Graph:
    graph = from_graph_def(graph_def, fetches=[TensorRef(fetch)])
    FreeConstants().run(graph, PassContext(Registry()))
    return graph


def after(op: Any) -> Any:
    with tf.control_dependencies([op]):
        return tf.constant([1.0, 2.0, 3.0, 4.0], name="c")


def test_what_the_reader_waits_for_anyway_is_dropped(registry: Registry) -> None:
    def model() -> None:
        a = tf.tanh(x(), name="a")
        tf.add(a, after(a), name="out")

    graph_def = build(model)
    assert freed(graph_def).control_inputs("c") == ()
    result = graft(graph_def, ["out:0"], registry=registry)
    assert len(result.engines) == 1, "the edge no longer parts what belongs together"
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_what_has_an_effect_stays() -> None:
    def model() -> None:
        a = x()
        with v1.device(""):
            check = v1.Print(a, [a], name="effect")
        tf.add(a, after(check), name="out")

    assert freed(build(model)).control_inputs("c") == ("effect",)


def test_constants_of_a_branch_stay_in_it() -> None:
    def model() -> None:
        a = x()
        tf.identity(v1.cond(tf.reduce_max(a) > 0.0, lambda: a + after(a), lambda: a), name="out")

    graph = freed(build(model, control_flow_v1=True))
    (name,) = [n.name for n in graph if n.op == "Const" and n.name.endswith("/c")]
    assert graph.control_inputs(name)


def test_nobody_waits_for_constants() -> None:
    def model() -> None:
        a = x()
        constants = [tf.constant([float(i)], name=f"c{i}") for i in range(3)]
        with tf.control_dependencies([*constants[:2], tf.identity(constants[2], name="read")]):
            every = tf.no_op(name="every")
        with tf.control_dependencies([every, tf.tanh(a, name="slow")]):
            tf.identity(a, name="out")

    graph = freed(build(model))
    assert graph.control_inputs("out") == ("slow",)
    assert graph.control_inputs("every") == ()


def test_a_no_op_that_waits_for_an_effect_is_waited_for() -> None:
    def model() -> None:
        a = x()
        with tf.control_dependencies([v1.Print(a, [a], name="effect"), tf.constant(1.0, name="c")]):
            every = tf.no_op(name="every")
        with tf.control_dependencies([every]):
            tf.identity(a, name="out")

    graph = freed(build(model))
    assert graph.control_inputs("out") == ("every",)
    assert graph.control_inputs("every") == ("effect",)


def test_what_is_fed_is_not_there() -> None:
    def model() -> None:
        a = x()
        with tf.control_dependencies([tf.constant(1.0, name="c")]):
            tf.identity(a, name="out")

    graph = from_graph_def(build(model), fetches=[TensorRef("out")], feeds=[TensorRef("c")])
    FreeConstants().run(graph, PassContext(Registry()))
    assert graph.control_inputs("out") == ("c",)


def test_constants_of_a_branch_are_waited_for() -> None:
    def branch(a: Any) -> Any:
        with tf.control_dependencies([tf.constant(1.0, name="inside")]):
            return tf.tanh(a, name="late")

    def model() -> None:
        a = x()
        tf.identity(v1.cond(tf.reduce_max(a) > 0.0, lambda: branch(a), lambda: a), name="out")

    graph = freed(build(model, control_flow_v1=True))
    (late,) = [n.name for n in graph if n.op == "Tanh"]
    assert any(name.endswith("inside") for name in graph.control_inputs(late))


def test_a_keras_model_keeps_no_weights_that_engines_have_in_another_form() -> None:
    import keras

    import tfgraft

    model = keras.Sequential([keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(64, 3), keras.layers.Dense(64)])
    grafted = tfgraft.optimize(model, precision="FP16", minimum_segment_size=1)
    weights = [n for n in grafted.graph_def.node if n.op == "Const" and n.attr["dtype"].type == 1]
    sizes = [len(n.attr["value"].tensor.tensor_content) for n in weights]
    assert max(sizes, default=0) < 1024, "float32 weights would be stored next to those in half"
    assert not [n.name for n in grafted.graph_def.node if n.op == "NoOp"]
