"""The part of a graph that runs: what outputs need, and nothing behind what is fed."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.passes.graft import build, v1
from tfgraft.function import make_function
from tfgraft.load.model import NamedTensor
from tfgraft.needed import needed_part


def _graph_def() -> tf.compat.v1.GraphDef:
    def body() -> None:
        x = v1.placeholder(tf.float32, (2,), "x")
        middle = tf.tanh(x, name="middle")
        tf.negative(middle, name="other")
        with tf.control_dependencies([middle, x]):
            tf.exp(middle, name="out")

    return build(body)


def test_all_of_it_is_the_same_object() -> None:
    graph_def = _graph_def()
    next(node for node in graph_def.node if node.name == "out").input[:] = ["middle"]
    assert needed_part(graph_def, ["x:0"], ["out:0", "other:0"]) is graph_def


def test_what_is_behind_a_feed_is_left_out() -> None:
    part = needed_part(_graph_def(), ["middle:0"], ["out:0"])
    assert {node.name: list(node.input) for node in part.node} == {"x": [], "out": ["middle", "^x"]}


def test_a_placeholder_that_is_fed_does_not_run() -> None:
    part = needed_part(_graph_def(), ["x:0"], ["out:0"])
    assert {node.name: list(node.input) for node in part.node} == {
        "x": [],
        "middle": ["x"],
        "out": ["middle"],
    }


def test_an_output_that_is_fed_is_what_is_fed() -> None:
    assert not needed_part(_graph_def(), ["middle:0"], ["middle:0"]).node
    spec = NamedTensor("middle:0", "float32", (2,))
    function = make_function(_graph_def(), [spec], [spec, NamedTensor("other:0", "float32", (2,))])
    same, negative = function(tf.constant([1.0, 2.0]))
    np.testing.assert_array_equal(same, [1, 2])
    np.testing.assert_array_equal(negative, [-1, -2])


def test_nodes_are_not_colocated_with_what_is_left_out() -> None:
    graph_def = _graph_def()
    out = next(node for node in graph_def.node if node.name == "out")
    out.attr["_class"].list.s[:] = [b"loc:@middle", b"loc:@x"]
    out.input[:] = ["middle"]
    (kept,) = needed_part(graph_def, ["middle:0"], ["out:0"]).node
    assert not kept.attr["_class"].list.s
