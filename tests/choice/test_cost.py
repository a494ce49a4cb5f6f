"""What the cost model counts, and how it turns work into time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.passes.graft import build, v1
from tfgraft.choice.cost import ROUNDS, Work, loops, work_of
from tfgraft.choice.figures import FIGURES, Figures, figures_of
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.passes.base import PassContext
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.plugins.onnxruntime.builder import OnnxRuntimeBuilder
from tfgraft.registry.registry import Registry

FLAT = Figures(call=100, tensor=10, op=1, kernel=0, convolution=1, depthwise=1, product=1, weights=1, elements=1)


def _graph(body: Callable[[], Any]) -> Graph:
    graph = from_graph_def(build(body))
    InferShapes().run(graph, PassContext(Registry()))
    return graph


def _work(body: Callable[[], Any]) -> Work:
    graph = _graph(body)
    return work_of(graph, [name for name in graph.topological() if graph.node(name).op != "Placeholder"])


def _x(*shape: int | None) -> Any:
    return v1.placeholder(tf.float32, shape, "x")


def _w(*shape: int) -> Any:
    return tf.constant(np.ones(shape, np.float32))


@pytest.mark.parametrize(
    ("body", "kind", "count"),
    [
        (lambda: tf.nn.conv2d(_x(2, 8, 8, 4), _w(3, 3, 4, 16), 1, "SAME"), "convolution", 2 * 2 * 64 * 16 * 9 * 4),
        (lambda: tf.nn.conv2d(_x(2, 8, 8, 4), _w(3, 3, 2, 16), 1, "SAME"), "convolution", 2 * 2 * 64 * 16 * 9 * 2),
        (
            lambda: tf.nn.conv2d_transpose(_x(1, 4, 4, 8), _w(2, 2, 16, 8), (1, 8, 8, 16), 2),
            "convolution",
            2 * (4 * 4 * 8) * (2 * 2 * 16),
        ),
        (
            lambda: tf.raw_ops.DepthwiseConv2dNative(
                input=_x(1, 8, 8, 4), filter=_w(3, 3, 4, 2), strides=[1, 1, 1, 1], padding="SAME"
            ),
            "depthwise",
            2 * 64 * 8 * 9,
        ),
        (lambda: tf.matmul(_x(5, 7), _w(7, 3)), "product", 2 * 5 * 7 * 3),
        (lambda: tf.matmul(_x(7, 5), _w(7, 3), transpose_a=True), "product", 2 * 5 * 7 * 3),
        (lambda: tf.matmul(_x(2, 5, 7), _x2(2, 7, 3)), "product", 2 * 2 * 5 * 7 * 3),
        (lambda: tf.einsum("abc,cd->abd", _x(2, 5, 7), _w(7, 3)), "product", 2 * 2 * 5 * 7 * 3),
        (lambda: tf.tanh(_x(5, 7)), "elements", 4 * 2 * 35),
        (lambda: tf.reshape(_x(5, 7), [35]), "elements", 0),
    ],
)
def test_what_an_op_does(body: Callable[[], Any], kind: str, count: float) -> None:
    work = _work(body)
    assert getattr(work, kind) == count
    assert work.ops == 1


def _x2(*shape: int) -> Any:
    return v1.placeholder(tf.float32, shape, "x2")


def test_bias_and_activation_come_with_what_they_follow() -> None:
    def body() -> None:
        y = tf.nn.conv2d(_x(1, 8, 8, 4), _w(3, 3, 4, 16), 1, "SAME")
        tf.nn.relu(tf.nn.bias_add(y, _w(16)))

    assert (_work(body).ops, _work(body).elements) == (1, 0)


def test_what_is_read_twice_is_no_part_of_a_convolution() -> None:
    def body() -> None:
        y = tf.nn.conv2d(_x(1, 8, 8, 4), _w(3, 3, 4, 16), 1, "SAME")
        tf.add(tf.nn.relu(y), y)

    assert _work(body).ops == 3


def test_loops_are_taken_as_some_rounds() -> None:
    def body() -> None:
        tf.while_loop(lambda i, _: i < 20, lambda i, y: (i + 1, tf.matmul(y, _w(8, 8))), [0, _x(8, 8)])

    v1.enable_control_flow_v2()
    graph = _graph(body)
    nodes = [name for name in graph.topological() if graph.node(name).op in ("While", "StatelessWhile")]
    assert loops(graph, nodes)
    assert work_of(graph, nodes).product == ROUNDS * 2 * 8 * 8 * 8


def test_unknown_sizes_are_one() -> None:
    assert _work(lambda: tf.matmul(_x(None, 7), _w(7, 3))).product == 2 * 7 * 3


def test_time_is_the_sum_of_what_takes_time() -> None:
    assert Work(ops=1000).milliseconds(FLAT) == pytest.approx(1)
    assert Work(convolution=1e6, depthwise=2e6, elements=3e6).milliseconds(FLAT) == pytest.approx(6)
    assert Work(kernels=1000).milliseconds(replace(FLAT, kernel=5)) == pytest.approx(5)
    assert Work(product=1e6, weights=5e6).milliseconds(FLAT) == pytest.approx(5)
    assert (Work(ops=1) * 3 + Work(ops=2, product=1)).ops == 5


def test_figures_are_there_for_engines_on_the_processor() -> None:
    assert {"TensorFlow", "onnxruntime", "openvino", "litert", "xla"} <= set(FIGURES)
    assert figures_of(OnnxRuntimeBuilder(), {"intra_op_threads": 2}) is FIGURES["onnxruntime"]
    assert figures_of(OnnxRuntimeBuilder(), {"providers": ["CUDAExecutionProvider"]}) is None


def test_figures_are_positive() -> None:
    for one in FIGURES.values():
        assert min(one.call, one.tensor, one.op, one.kernel) >= 0
        assert min(one.convolution, one.depthwise, one.product, one.weights, one.elements) > 0
