"""Calls of functions: inlined where the engine takes the whole function, left as they are otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.passes.graft import X, build, chain, check, graft, run, x

KERNEL = np.random.default_rng(0).standard_normal((3, 3, 2, 8), np.float32)


def _function(body: Any, **options: Any) -> Any:
    return tf.function(body, autograph=False, **options)


def test_a_function_for_xla_joins_the_cluster() -> None:
    grouped = _function(lambda v: tf.nn.conv2d(v, KERNEL, 1, "SAME"), jit_compile=True)

    def model() -> None:
        image = x(None, 6, 5, 4)
        tf.identity(tf.nn.relu(grouped(tf.tanh(image))), name="out")

    graph_def = build(model)
    result = graft(graph_def, ["out:0"])
    assert len(result.engines) == 1
    assert not [n for n in result.graph_def.node if "PartitionedCall" in n.op]
    images = np.random.default_rng(1).standard_normal((2, 6, 5, 4), np.float32)
    want = tf.nn.relu(tf.nn.conv2d(tf.tanh(images), KERNEL, 1, "SAME"))  # the session has no XLA for the original
    np.testing.assert_allclose(run(result.graph_def, ["out:0"], {"x:0": images})[0], want, rtol=1e-5, atol=1e-5)


def test_a_grouped_convolution_that_no_engine_gets_still_runs() -> None:
    """TensorFlow fuses it with the bias behind it, and has no kernel for that."""
    grouped = _function(lambda v: tf.nn.conv2d(v, KERNEL, 1, "SAME"), jit_compile=True)

    def model() -> None:
        image = x(1, 6, 5, 4)
        y = tf.nn.relu(tf.nn.bias_add(grouped(tf.tanh(image)), tf.constant(KERNEL[0, 0, 0])), name="y")
        # So that another cluster is larger.
        tf.add(
            tf.strings.to_number(tf.strings.as_string(tf.reduce_sum(y))), tf.reduce_sum(chain(image, 40)), name="out"
        )

    result = graft(build(model), ["out:0", "y:0"], maximum_engines=1)
    assert len(result.engines) == 1
    assert any(node.op == "Conv2D" for node in result.graph_def.node)
    images = np.random.default_rng(1).standard_normal((1, 6, 5, 4), np.float32)
    want = tf.nn.relu(tf.nn.conv2d(tf.tanh(images), KERNEL, 1, "SAME") + KERNEL[0, 0, 0])
    np.testing.assert_allclose(run(result.graph_def, ["y:0"], {"x:0": images})[0], want, rtol=1e-5, atol=1e-5)


def test_calls_of_one_function_with_other_shapes() -> None:
    total = _function(lambda v: tf.reduce_sum(v * 2.0, axis=-1), experimental_attributes={"_noinline": True})

    def model() -> None:
        value = chain(x(), 2)
        tf.add(tf.reduce_sum(total(value)), tf.reduce_sum(total(tf.expand_dims(value, 0))), name="out")

    graph_def = build(model)
    result = graft(graph_def, ["out:0"])
    assert len(result.engines) == 1
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_a_call_that_is_fetched_keeps_its_name() -> None:
    half = _function(lambda v: tf.tanh(v * 0.5), experimental_attributes={"_noinline": True})
    graph_def = build(lambda: half(chain(x(), 2)))
    (call,) = [n.name for n in graph_def.node if "PartitionedCall" in n.op]
    result = graft(graph_def, [f"{call}:0"])
    assert len(result.engines) == 1
    check(graph_def, result, [f"{call}:0"], {"x:0": X})


def test_a_function_with_an_op_that_no_engine_takes_stays_a_call() -> None:
    text = _function(lambda v: tf.strings.length(tf.strings.as_string(v)), experimental_attributes={"_noinline": True})

    def model() -> None:
        tf.identity(text(chain(x(), 4)), name="out")

    graph_def = build(model)
    result = graft(graph_def, ["out:0"])
    assert [n for n in result.graph_def.node if "PartitionedCall" in n.op]
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_a_function_that_returns_its_argument_and_a_constant() -> None:
    both = _function(lambda v: (v, tf.constant([1.0, 2.0]), v + 1.0), experimental_attributes={"_noinline": True})

    def model() -> None:
        a, b, c = both(chain(x(), 2))
        tf.identity(tf.reduce_sum(a) + tf.reduce_sum(b) + tf.reduce_sum(tf.tanh(c)), name="out")

    graph_def = build(model)
    result = graft(graph_def, ["out:0"])
    assert not [n for n in result.graph_def.node if "PartitionedCall" in n.op]
    check(graph_def, result, ["out:0"], {"x:0": X})
