"""Real graphs for the graph tests, built by TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def function(*specs: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return `tf.function` as a decorator, with an input signature if any specs are given."""
    if specs:
        options["input_signature"] = list(specs)
    return lambda python: tf.function(python, **options)


def straight() -> Any:
    """Ordinary ops, a large constant, control inputs in an order that is not alphabetical."""
    g = tf.Graph()
    with g.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        late, early = tf.no_op("z_late"), tf.no_op("a_early")
        with g.control_dependencies([late, early, x]):
            y = tf.linalg.matmul(x, np.arange(400, dtype=np.float32).reshape(4, 100), name="y")
        with g.device("/device:CPU:0"):
            a, b = tf.split(y, 2, axis=1, name="parts")
        tf.stack(tf.unstack(a + b, num=50, axis=1)[::-1], name="out")
    return g.as_graph_def(add_shapes=True)


def v1_loop_and_cond() -> Any:
    """TensorFlow 1 control flow: a loop (a cycle) with a branch in it."""
    g = tf.Graph()
    with g.as_default():
        v1.disable_control_flow_v2()
        try:
            x = v1.placeholder(tf.float32, [None], "x")

            def body(i: Any, v: Any) -> Any:
                return i + 1, v1.cond(v[0] > 3.0, lambda: v * 0.5, lambda: v + 1.0)

            _, out = v1.while_loop(lambda i, v: i < 5, body, [tf.constant(0), x])
            tf.identity(out, name="out")
        finally:
            v1.enable_control_flow_v2()
    graph_def = g.as_graph_def()
    assert any(node.op == "NextIteration" for node in graph_def.node)
    assert any(node.op == "Switch" for node in graph_def.node)
    return graph_def


def functional() -> Any:
    """If, While and PartitionedCall with a function library, one body with several outputs and list outputs."""

    @function()
    def helper(v: Any) -> Any:
        a, b = tf.split(v, 2)
        top, where = tf.math.top_k(a, 2)
        tf.debugging.assert_greater(tf.size(b), 0)
        return tf.concat([b, top, tf.cast(where, tf.float32)], 0), tf.identity_n([a, b])

    @function(tf.TensorSpec([8], tf.float32), tf.TensorSpec([], tf.bool))
    def main(x: Any, p: Any) -> Any:
        y, (a, b) = helper(x)
        z = tf.cond(p, lambda: y * 2.0, lambda: tf.nn.relu(y) + tf.reduce_sum(a))
        _, w = tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, tf.sin(v) + tf.reduce_max(b)), [0, z])
        return tf.reduce_sum(w, name="out")

    return main.get_concrete_function().graph.as_graph_def()


def colocated() -> Any:
    """TensorFlow 1 variables, colocation attributes, reference types and string attributes."""
    g = tf.Graph()
    with g.as_default():
        v1.disable_resource_variables()
        try:
            v = v1.get_variable("v", [2], dtype=tf.float32, use_resource=False)
        finally:
            v1.enable_resource_variables()
        with v1.colocate_with(v.op):
            w = tf.identity(v, name="w")
        tf.strings.as_string(w, name="out")
        v1.global_variables_initializer()
    return g.as_graph_def()


def odd() -> Any:
    """Fields and attributes that TensorFlow's Python API seldom writes; nodes TensorFlow does not know."""
    graph_def = tf.Graph().as_graph_def()
    graph_def.version = 12
    graph_def.versions.producer = 27
    graph_def.versions.bad_consumers.extend([3, 5])
    graph_def.debug_info.files.append("model.py")
    graph_def.library.SetInParent()
    a = graph_def.node.add(name="a", op="Unknown>Op", device="/job:worker")
    a.experimental_debug_info.original_node_names.append("before")
    a.experimental_type.type_id = 2
    a.attr["nothing"].SetInParent()
    a.attr["empty"].list.SetInParent()
    a.attr["placeholder"].placeholder = "T"
    b = graph_def.node.add(name="b", op="Unknown>Op")
    b.input.extend(["a:3", "a", "a:3", "^a", "^c", "^a"])
    graph_def.node.add(name="c", op="NoOp")
    return graph_def


def empty() -> Any:
    """No node at all."""
    return tf.Graph().as_graph_def()


MODELS: dict[str, Callable[[], Any]] = {
    m.__name__: m for m in (straight, v1_loop_and_cond, functional, colocated, odd, empty)
}
