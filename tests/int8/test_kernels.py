"""ONNX Runtime's integer kernels: which of them quantized graphs become, and that their numbers are TensorFlow's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf

from tests.cases.case import OpCase, graph_of
from tests.cases.onnx_engine import Dumping, op_converters, run, to_onnx, whole
from tests.int8.graphs import X, conv, depthwise, kernel, signed, unsigned, values
from tfgraft.converters.onnx.model import cluster_to_onnx

MOVES = frozenset({"Transpose", "Reshape", "Squeeze", "Unsqueeze", "QuantizeLinear", "DequantizeLinear", "Slice"})

BLOCKED = {"ReorderInput": 1, "ReorderOutput": 1}
"""In and out of the layout of a float convolution."""

Build = Callable[[Any], Any]


def _mlp(x: Any) -> Any:
    x = signed(tf.reshape(x, [2, 512]), 8)
    x = unsigned(tf.nn.relu(tf.matmul(x, kernel(values(512, 32), 1)) + values(32)), 10)
    return tf.matmul(x, kernel(values(10, 32), 0), transpose_b=True) + values(10)


def _residual(x: Any) -> Any:
    x = unsigned(tf.nn.relu(conv(signed(x, 8), 8)), 10)
    y = signed(conv(x, 8), 8)
    z = unsigned(tf.nn.relu(x + y), 12)
    return signed(conv(z, 4), 12)


def _bottleneck(x: Any) -> Any:
    """Add without an activation, as MobileNetV2 does: signed values go to convolutions whose results are unsigned."""
    x = signed(conv(signed(x, 8), 8), 10)
    y = unsigned(tf.nn.relu6(conv(x, 16, 1)), 6)
    y = unsigned(tf.nn.relu6(depthwise(y)), 6)
    y = signed(conv(y, 8, 1), 8)
    z = signed(x + y, 16)
    return unsigned(tf.nn.relu6(conv(z, 16, 1)), 6)


def _padded(x: Any) -> Any:
    """Pad as Keras' nets do: the image before it is quantized, then between a result and the maximum of it."""
    ones = [[0, 0], [1, 1], [1, 1], [0, 0]]
    x = unsigned(tf.nn.relu(conv(signed(tf.pad(x, ones), 8), 8, strides=2, padding="VALID")), 10)
    x = unsigned(tf.pad(x, ones), 10)
    x = unsigned(tf.nn.max_pool2d(x, 3, 1, "VALID"), 10)
    x = unsigned(tf.pad(x, ones), 10)
    return signed(conv(x, 8, padding="VALID", bias=False), 12)


def _head(x: Any) -> Any:
    x = unsigned(tf.nn.relu(conv(signed(x, 8), 16)), 10)
    x = unsigned(tf.reduce_mean(x, [1, 2]), 3)
    return tf.nn.softmax(tf.matmul(x, kernel(values(16, 10), 1)))


def _pools(x: Any) -> Any:
    x = unsigned(tf.nn.relu(conv(signed(x, 8), 8)), 10)
    x = unsigned(tf.nn.avg_pool2d(x, 3, 1, "VALID"), 10)
    a, b = unsigned(tf.nn.avg_pool2d(x, 3, 2, "SAME"), 8), unsigned(tf.nn.max_pool2d(x, 2, 2, "SAME"), 10)
    return signed(conv(unsigned(tf.concat([a, b], 3), 10), 8), 16)


def _gates(x: Any) -> Any:
    x = signed(conv(signed(x, 8), 8), 10)
    gate = unsigned(tf.sigmoid(x), 1)
    y = signed(x * gate, 10)
    return signed(conv(signed(tf.nn.leaky_relu(y, 0.1), 10), 8), 10)


def _hard_swish(x: Any) -> Any:
    x = signed(conv(signed(x, 8), 8), 10)
    return signed(conv(signed(x * tf.nn.relu6(x + 3.0) * (1 / 6), 10), 8), 10)


def _prelu(x: Any, least: float = 0) -> Any:
    x = signed(conv(signed(x, 8), 8), 10)
    slopes = np.array([least, 0.1, 0.25, 0.5, 0.9, 1.5, 0.3, 0.01], "float32")
    return signed(conv(signed(tf.nn.relu(x) + -slopes * tf.nn.relu(-x), 10), 8), 10)


def _trained(x: Any) -> Any:
    """A net as quantization-aware training leaves it: asymmetric activations, and symmetric kernels."""
    fake = tf.quantization.fake_quant_with_min_max_vars
    weights = values(3, 3, 8, 8)
    high = np.abs(weights).max(axis=(0, 1, 2))
    per_channel = tf.quantization.fake_quant_with_min_max_vars_per_channel(weights, -high, high, narrow_range=True)
    y = tf.nn.conv2d(fake(x, -5.0, 7.0), per_channel, 1, "SAME") + values(8)
    y = fake(tf.nn.relu(y), 0.0, 10.0)
    one = fake(values(1, 1, 8, 4), -0.9, 0.9, narrow_range=True)
    return fake(tf.nn.conv2d(y, one, 1, "SAME") + values(4), -12.0, 10.0)


CASES: dict[str, tuple[Build, float, dict[str, int]]] = {
    "conv": (lambda x: signed(conv(signed(x, 8), 8), 10), 10 / 127, {"QLinearConv": 1}),
    "no-bias": (lambda x: signed(conv(signed(x, 8), 8, bias=False), 10), 10 / 127, {"QLinearConv": 1}),
    "one-bias": (lambda x: signed(conv(signed(x, 8), 8, bias=False) + 3.0, 12), 12 / 127, {"QLinearConv": 1}),
    "depthwise": (lambda x: unsigned(tf.nn.relu(depthwise(signed(x, 8))), 10), 10 / 255, {"QLinearConv": 1}),
    "multiplier": (lambda x: signed(depthwise(signed(x, 8), 3), 10), 10 / 127, {"QLinearConv": 1}),
    "strided": (lambda x: signed(conv(signed(x, 8), 8, strides=2), 10), 10 / 127, {"QLinearConv": 1}),
    "dilated": (lambda x: signed(conv(signed(x, 8), 8, dilations=2), 10), 10 / 127, {"QLinearConv": 1}),
    "mlp": (_mlp, 0.1, {"QGemm": 2}),
    "residual": (_residual, 2 * 12 / 127, {"QLinearConv": 3, "QLinearAdd": 1}),
    "bottleneck": (_bottleneck, 2 * 16 / 127, {"QLinearConv": 5, "QLinearAdd": 1}),
    "padded": (_padded, 2 * 12 / 127, {"QLinearConv": 2, "Pad": 2, "NhwcMaxPool": 1}),
    "head": (_head, 0.01, {"QLinearConv": 1, "QLinearGlobalAveragePool": 1, "MatMulIntegerToFloat": 1}),
    "pools": (
        _pools,
        2 * 16 / 127,
        # One average is an integer convolution; the other one, at the edges of less than its window, is none.
        {"QLinearConv": 3, "NhwcMaxPool": 1, "QLinearConcat": 1, "Conv": 1, "Mul": 1, **BLOCKED},
    ),
    "gates": (_gates, 2 * 10 / 127, {"QLinearConv": 2, "QLinearSigmoid": 1, "QLinearMul": 1, "QLinearLeakyRelu": 1}),
    "hard-swish": (_hard_swish, 2 * 10 / 127, {"QLinearConv": 3, "QLinearMul": 1}),
    "prelu": (_prelu, 2 * 10 / 127, {"QLinearConv": 4, "QLinearAdd": 1}),
    "prelu-negative": (lambda x: _prelu(x, -0.4), 2 * 10 / 127, {"QLinearConv": 5, "QLinearAdd": 1}),
    "trained": (_trained, 2 * 22 / 255, {"QLinearConv": 2}),
}
"""Graphs, how far one or two quantization steps may take a result, and the integer kernels."""


def _run(build: Build, folder: Path, large: int = 64, x: Any = X, dynamic: Any = False) -> tuple[Any, Any, Any]:
    """Return the ops that ONNX Runtime runs, how many of each, its result and TensorFlow's."""
    graph, (want,) = graph_of(OpCase("int8", "Const", build, [x], dynamic=dynamic))
    path = folder / "optimized.onnx"
    (got,) = run(graph, to_onnx(graph, op_converters(), large), [x], Dumping(path=str(path)))
    return Counter(node.op_type for node in onnx.load(str(path)).graph.node), got, want


@pytest.mark.parametrize("large", [64, 1 << 30], ids=["weights-given", "weights-inside"])
@pytest.mark.parametrize("case", CASES)
def test_all_that_computes_is_an_integer_kernel(case: str, large: int, tmp_path: Path) -> None:
    build, step, wanted = CASES[case]
    ops, got, want = _run(build, tmp_path, large)
    kernels = {op: n for op, n in ops.items() if op not in MOVES | {"Softmax"}}
    assert kernels == wanted
    assert np.abs(got - want).max() <= step * 1.01
    assert np.mean(np.abs(got - want)) <= step / 20


@pytest.mark.parametrize("dynamic", [False, ((None, 5, 16),), True], ids=["fixed", "batch", "all"])
def test_products_of_sequences_take_their_bias(dynamic: Any, tmp_path: Path) -> None:
    def build(x: Any) -> Any:
        x = signed(tf.ensure_shape(x, [None, None, 16]), 4)
        y = tf.linalg.matmul(x, kernel(values(16, 24), 1)) + values(24)
        return tf.linalg.matmul(unsigned(tf.nn.relu(y), 8), kernel(values(24, 8), 1)) + values(8)

    ops, got, want = _run(build, tmp_path, x=values(3, 5, 16) * 4, dynamic=dynamic)
    assert (ops["QGemm"], ops["Gemm"], ops["MatMul"], ops["Add"]) == (2, 0, 0, 0)
    np.testing.assert_allclose(got, want, atol=8 / 255)


def test_float_kernels_stay_float(tmp_path: Path) -> None:
    """ONNX Runtime would quantize a kernel between quantized activations, and roughly."""
    weights = values(3, 3, 8, 8) * np.logspace(-2, 0, 8, dtype="float32")
    ops, got, want = _run(lambda x: signed(tf.nn.conv2d(signed(x, 8), weights, 1, "SAME"), 10), tmp_path)
    assert (ops["Conv"], ops["QLinearConv"]) == (1, 0)
    np.testing.assert_allclose(got, want, atol=10 / 127 * 1.01)
    assert np.mean(got != want) < 0.01


@pytest.mark.parametrize(
    "bias",
    [values(8, 8, 8), np.where(np.arange(8) == 3, np.inf, 0.5).astype("float32")],
    ids=["for-each-pixel", "infinite"],
)
def test_what_is_no_int32_bias_is_added(bias: Any, tmp_path: Path) -> None:
    ops, got, want = _run(lambda x: signed(conv(signed(x, 8), 8, bias=False) + bias, 10), tmp_path)
    assert (ops["Add"], ops["Conv"], ops["QLinearConv"]) == (1, 1, 0)
    np.testing.assert_allclose(got, want, atol=10 / 127 * 1.01)


def _dead(x: Any, how: str) -> Any:
    """Compute with kernels of which some channels are next to nothing, as trained nets have them, and biases not so."""
    x = signed(x, 8)
    if how == "conv":
        return tf.nn.conv2d(x, kernel(values(3, 3, 8, 6) * _DEAD, 3), 1, "SAME") + _ALIVE
    if how == "depthwise":
        kernels = kernel(values(3, 3, 8, 2) * np.resize(_DEAD, (8, 1)), 2)
        return tf.nn.depthwise_conv2d(x, kernels, [1, 1, 1, 1], "SAME") + values(16) * 3
    return tf.matmul(tf.reshape(x, [16, 64]), kernel(values(64, 6) * _DEAD, 1)) + _ALIVE


_ALIVE = np.array([0.5, 3, -2, 0.1, 1, 2], "float32")
_DEAD = np.array([1, 1e-12, 1e-7, 1, 1e-20, 0], "float32")


@pytest.mark.parametrize("large", [64, 1 << 30], ids=["weights-given", "weights-inside"])
@pytest.mark.parametrize("how", ["conv", "depthwise", "product"])
def test_channels_that_are_next_to_nothing_keep_their_bias(how: str, large: int, tmp_path: Path) -> None:
    """In the unit of their sums, it would have more digits than an int32 has."""
    ops, got, want = _run(lambda x: signed(_dead(x, how), 8), tmp_path, large)
    assert ops["QLinearConv"] + ops["QGemm"] == 1
    assert ops["Add"] == 0
    np.testing.assert_allclose(got, want, atol=8 / 127 * 1.01)
    assert np.mean(np.abs(got - want)) <= 8 / 127 / 20


def test_a_biased_product_with_another_reader_keeps_its_float_bias(tmp_path: Path) -> None:
    def build(x: Any) -> Any:
        y = conv(signed(x, 8), 8, bias=False)
        return tf.concat([signed(y + values(8), 10), y], -1)

    ops, got, want = _run(build, tmp_path)
    assert (ops["Add"], ops["QLinearConv"]) == (1, 0)
    np.testing.assert_allclose(got, want, atol=10 / 127 * 1.01, rtol=1e-5)


def test_a_kernel_that_two_convolutions_share_is_given_to_each() -> None:
    weights = values(3, 3, 8, 8)

    def build(x: Any) -> Any:
        shared = tf.identity(kernel(weights, 3))
        x = signed(tf.nn.conv2d(signed(x, 8), shared, 1, "SAME"), 10)
        return signed(tf.nn.conv2d(x, shared, 1, "SAME"), 10)

    graph, (want,) = graph_of(OpCase("shared", "Conv2D", build, [X]))
    made = to_onnx(graph, op_converters())
    one, other = made.weights
    assert one.ref == other.ref
    assert one.name != other.name
    assert one.quantization is not None
    assert one.quantization == other.quantization
    assert one.quantization.dtype == "int8"
    floats = [t for t in made.model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT]
    assert max(np.prod(t.dims) for t in floats) <= 8, "steps alone are floats"
    assert [n.op_type for n in made.model.graph.node].count("QuantizeLinear") == 3, (
        "no kernel is quantized when running"
    )
    (got,) = run(graph, made, [X])
    np.testing.assert_allclose(got, want, atol=2 * 10 / 127)


def test_other_integer_types_are_left_out() -> None:
    """TensorRT's parser takes int8 alone."""
    graph, _ = graph_of(OpCase("int8", "Conv2D", _bottleneck, [X]))
    made = cluster_to_onnx(whole(graph), graph, op_converters(), ("onnx",), frozenset({"int8"}))
    types = {t.data_type for t in made.model.graph.initializer}
    assert onnx.TensorProto.INT8 in types
    assert types.isdisjoint({onnx.TensorProto.UINT8, onnx.TensorProto.INT32})
