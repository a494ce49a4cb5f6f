"""Where tensors are quantized, by the rules of ONNX Runtime, which wants results quantized, and of TensorRT."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import tensorflow as tf

from tests.passes.graft import build, v1
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.passes.pipeline import Pipeline
from tfgraft.passes.prune import Prune
from tfgraft.passes.quantize_plan import QuantizationPlan, plan_quantization
from tfgraft.plugins.int8_rules import Int8Rules
from tfgraft.plugins.onnxruntime.int8 import INT8 as ONNX_RUNTIME
from tfgraft.plugins.tensorrt.int8 import INT8 as TENSORRT
from tfgraft.registry.registry import Registry

_K = np.random.default_rng(0).standard_normal((3, 3, 4, 4)).astype(np.float32)


def _conv(x: Any, name: str, activation: Callable[..., Any] = tf.nn.relu) -> Any:
    y = tf.nn.bias_add(
        tf.nn.conv2d(x, tf.constant(_K), 1, "SAME", name=name), tf.constant(_K[0, 0, 0]), name=f"{name}_b"
    )
    return activation(y, name=f"{name}_a")


def _graph(function: Callable[[Any], Any]) -> Graph:
    def body() -> None:
        tf.identity(function(v1.placeholder(tf.float32, (None, 8, 8, 4), "x")), name="out")

    graph = from_graph_def(build(body), feeds=[TensorRef("x")], fetches=[TensorRef("out")])
    Pipeline((Prune(), InferShapes())).run(graph, PassContext(Registry()))
    return graph


def _plan(
    function: Callable[[Any], Any],
    rules: Int8Rules,
    keep: Collection[str] = (),
    outside: Collection[str] = ("out",),
) -> QuantizationPlan:
    return plan_quantization(_graph(function), rules, lambda name: name not in outside, keep)


def _points(plan: QuantizationPlan) -> dict[str, bool]:
    return {point.tensor.node: point.unsigned for point in plan.points.values()}


def _readers(plan: QuantizationPlan, tensor: str) -> set[str]:
    return {name for name, _ in plan.points[TensorRef(tensor)].readers}


def two(x: Any) -> Any:
    """Two convolutions, then a softmax that stays in floating point."""
    return tf.nn.softmax(_conv(_conv(x, "a"), "b"), name="soft")


def test_inputs_and_results_are_quantized_for_onnx_runtime() -> None:
    plan = _plan(two, ONNX_RUNTIME)
    assert plan.layers == ("a", "b")
    assert _points(plan) == {"x": False, "a_a": True, "b_a": True}
    assert {(k.node, k.slot, k.axis) for k in plan.kernels} == {("a", 1, 3), ("b", 1, 3)}
    assert _readers(plan, "b_a") == {"soft"}


def test_inputs_alone_are_quantized_for_tensorrt_and_signed() -> None:
    plan = _plan(two, TENSORRT)
    assert _points(plan) == {"x": False, "a_a": False}


def test_a_convolution_whose_result_leaves_the_engine_stays_in_floating_point() -> None:
    plan = _plan(lambda x: _conv(_conv(x, "a"), "b"), ONNX_RUNTIME)
    assert plan.layers == ("a",)
    assert "outside" in plan.refusals["b"]
    assert _readers(plan, "a_a") == {"b"}
    assert _plan(lambda x: _conv(_conv(x, "a"), "b"), TENSORRT).layers == ("a", "b")


def test_a_convolution_whose_result_is_moved_and_leaves_stays_in_floating_point() -> None:
    def function(x: Any) -> Any:
        y = _conv(x, "a")
        return tf.reshape(_conv(y, "b"), (-1, 64, 4)) + tf.reshape(tf.nn.softmax(_conv(y, "c")), (-1, 64, 4), name="r")

    plan = _plan(function, ONNX_RUNTIME, outside=("out", "add"))
    assert plan.layers == ("a", "c")
    assert "outside" in plan.refusals["b"]
    assert _points(plan) == {"x": False, "a_a": True, "c_a": True}


def test_a_product_gives_floats_without_a_range() -> None:
    def function(x: Any) -> Any:
        return tf.nn.softmax(tf.matmul(tf.reshape(_conv(x, "a"), (-1, 256)), np.ones((256, 3), np.float32), name="m"))

    plan = _plan(function, ONNX_RUNTIME)
    assert plan.layers == ("a", "m")
    assert "m" not in _points(plan)
    assert any(k.node == "m" and k.axis == 1 for k in plan.kernels)


def test_a_kept_layer_reads_floats() -> None:
    plan = _plan(two, ONNX_RUNTIME, keep=("b",))
    assert plan.layers == ("a",)
    assert _points(plan) == {"x": False, "a_a": True}  # what the first one computes is quantized all the same
    assert "kept" in plan.refusals["b"]


def residual(x: Any) -> Any:
    """A residual block."""
    y = _conv(x, "a")
    z = _conv(_conv(y, "b"), "c", tf.identity)
    return tf.nn.softmax(_conv(tf.nn.relu(tf.add(y, z, name="sum"), name="r"), "d"))


def test_a_residual_sum_is_quantized_on_both_sides_and_behind_for_onnx_runtime() -> None:
    plan = _plan(residual, ONNX_RUNTIME)
    assert {"a_a", "c_b", "r"} <= _points(plan).keys()
    assert _readers(plan, "a_a") == {"b", "sum"}
    assert _readers(plan, "c_b") == {"sum"}


def test_one_side_of_a_residual_sum_is_quantized_for_tensorrt() -> None:
    plan = _plan(residual, TENSORRT)
    points = _points(plan)
    assert "c_b" not in points
    assert _readers(plan, "a_a") == {"b", "sum"}


def test_a_pool_has_the_range_of_what_it_reads() -> None:
    plan = _plan(
        lambda x: tf.nn.softmax(_conv(tf.nn.max_pool2d(_conv(x, "a"), 2, 2, "SAME", name="p"), "b")), ONNX_RUNTIME
    )
    assert plan.points[TensorRef("p")].source == TensorRef("a_a")
    assert _readers(plan, "a_a") == {"p"}


def test_a_kernel_that_is_computed_is_refused() -> None:
    def function(x: Any) -> Any:
        return tf.nn.softmax(tf.nn.conv2d(x, tf.reshape(x, (-1, 8, 4, 4))[:3, :3], 1, "SAME", name="a"))

    assert "not constant" in _plan(function, ONNX_RUNTIME).refusals["a"]


def test_ranges_of_the_model_stay() -> None:
    def function(x: Any) -> Any:
        y = tf.quantization.fake_quant_with_min_max_args(x, -1, 1, name="given")
        k = tf.quantization.fake_quant_with_min_max_args(tf.constant(_K), -1, 1)
        y = tf.nn.relu(tf.nn.conv2d(y, k, 1, "SAME", name="a"), name="a_a")
        return tf.nn.softmax(_conv(tf.quantization.fake_quant_with_min_max_args(y, 0, 6, name="after"), "b"))

    plan = _plan(function, ONNX_RUNTIME)
    assert plan.layers == ("a", "b")
    assert _points(plan) == {"b_a": True}
    assert {k.node for k in plan.kernels} == {"b"}


def test_what_is_outside_of_engines_is_not_touched() -> None:
    plan = _plan(two, ONNX_RUNTIME, outside=("out", "a"))
    assert plan.layers == ("b",)
    assert all(name != "a" for point in plan.points.values() for name, _ in point.readers)


def test_the_axis_of_a_kernel_is_that_of_the_output_channels() -> None:
    def function(x: Any) -> Any:
        d = tf.nn.depthwise_conv2d(x, np.ones((3, 3, 4, 2), np.float32), (1, 1, 1, 1), "SAME", name="d")
        flat = tf.reshape(tf.nn.relu(d), (-1, 512))
        a = tf.matmul(flat, np.ones((5, 512), np.float32), transpose_b=True, name="t")
        return tf.nn.softmax(a)

    axes = {k.node: k.axis for k in _plan(function, ONNX_RUNTIME).kernels}
    assert axes == {"d": 2, "t": 0}


def test_constants_that_are_no_numbers_have_no_sign() -> None:
    def joined(x: Any) -> Any:
        return tf.stack(["text", tf.strings.as_string(tf.reduce_sum(_conv(x, "c")))])

    assert _plan(joined, TENSORRT).layers == ("c",)
    assert _plan(joined, ONNX_RUNTIME).layers == ("c",)
