"""TensorRT INT8 layers: where Quantize and Dequantize stand, that TensorRT builds them, and that the numbers agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.cases.case import OpCase, graph_of
from tests.int8.graphs import X, conv, depthwise, kernel, signed, unsigned, values
from tests.tensorrt.run import build, interpret, network_of
from tfgraft.converters.tensorrt.families import CONVERTERS
from tfgraft.plugins.tensorrt.flavour import find_flavour
from tfgraft.plugins.tensorrt.log import process_logger
from tfgraft.registry.registry import Registry

Build = Callable[[Any], Any]


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Hold the op converters alone."""
    registry = Registry()
    for entries in CONVERTERS:
        registry.add(*entries, layer="built-in")
    return registry


def _residual(x: Any) -> Any:
    """Add a convolution's result, which stays as it is, to a quantized tensor."""
    x = signed(tf.nn.relu(conv(signed(x, 8), 8)), 10)
    return conv(signed(tf.nn.relu(conv(x, 8) + x), 12), 4)


def _bottleneck(x: Any) -> Any:
    x = signed(tf.nn.relu6(conv(signed(x, 8), 16, 1)), 6)
    x = signed(tf.nn.relu6(depthwise(x)), 6)
    return conv(x, 8, 1)


def _mlp(x: Any) -> Any:
    x = signed(tf.reduce_mean(tf.nn.relu(conv(signed(x, 8), 16)), [1, 2]), 3)
    x = signed(tf.nn.relu(tf.matmul(x, kernel(values(16, 24), 1)) + values(24)), 6)
    return tf.matmul(x, kernel(values(10, 24), 0), transpose_b=True)


def _attention(x: Any) -> Any:
    x = tf.reshape(x, [2, 64, 8])
    q, k = (signed(tf.matmul(signed(x, 8), kernel(values(8, 8), 1)), 8) for _ in range(2))
    return tf.matmul(q, k, transpose_b=True)


CASES: dict[str, tuple[Build, float, int]] = {
    "conv": (lambda x: conv(signed(x, 8), 8), 1e-4, 1),
    "strided": (lambda x: conv(signed(x, 8), 8, strides=2, padding="VALID"), 1e-4, 1),
    "multiplier": (lambda x: depthwise(signed(x, 8), 3), 1e-4, 1),
    "residual": (_residual, 12 / 127, 3),
    "bottleneck": (_bottleneck, 2 * 6 / 127, 3),
    "mlp": (_mlp, 6 / 127, 3),
    "attention": (_attention, 1.0, 3),
}
"""Graphs, how far one quantization step may take a result, and how many products they have."""


def _layers(network: Any) -> list[Any]:
    return [network.get_layer(i) for i in range(network.num_layers)]


def _products(trt: Any, network: Any) -> list[tuple[str, str]]:
    """Return, for each convolution and matrix product, the types of the layers that make its operands."""
    makers = {layer.get_output(k).name: layer for layer in _layers(network) for k in range(layer.num_outputs)}
    kinds = (trt.LayerType.CONVOLUTION, trt.LayerType.MATRIX_MULTIPLY)
    found = []
    for layer in _layers(network):
        if layer.type in kinds:
            a, b = (makers[layer.get_input(k).name] for k in (0, 1))
            found.append((a.type.name, b.type.name))
    return found


@pytest.mark.parametrize("case", CASES)
def test_products_read_dequantized_values(case: str, registry: Registry) -> None:
    net, step, count = CASES[case]
    graph, want = graph_of(OpCase(case, "Const", net, [X]))
    _, trt = find_flavour("tensorrt_rtx")
    builder = trt.Builder(process_logger(trt))
    made = network_of(graph, registry, trt, builder)
    products = _products(trt, made.network)
    assert len(products) == count
    # The image is transposed in front of the first convolution; no kernel is.
    assert all(kernel == "DEQUANTIZE" for _, kernel in products), products
    assert sum(value == "DEQUANTIZE" for value, _ in products) >= count - 1, products
    assert build(trt, builder, made.network, [X]) == ""
    np.testing.assert_allclose(interpret(trt, made, [X])[0], want[0], atol=step)


def test_a_graph_that_was_calibrated_for_unsigned_integers_is_computed_in_floats(registry: Registry) -> None:
    """TensorRT has no such integers: the network is built all the same, and its numbers are TensorFlow's."""
    net: Build = lambda x: conv(unsigned(tf.nn.relu(x), 8), 8)  # noqa: E731
    graph, want = graph_of(OpCase("unsigned", "Const", net, [X]))
    _, trt = find_flavour("tensorrt_rtx")
    builder = trt.Builder(process_logger(trt))
    made = network_of(graph, registry, trt, builder)
    quantizing = [layer for layer in _layers(made.network) if layer.type == trt.LayerType.QUANTIZE]
    assert len(quantizing) == 1, "the kernel's"
    assert build(trt, builder, made.network, [X]) == ""
    np.testing.assert_allclose(interpret(trt, made, [X])[0], want[0], rtol=1e-4, atol=1e-4)


def test_a_quantized_constant_is_made_in_each_order_that_is_read(registry: Registry) -> None:
    weights = values(1, 1, 8, 8)

    def net(x: Any) -> Any:
        shared = tf.identity(kernel(weights, 3))
        return tf.nn.conv2d(signed(x, 8), shared, 1, "SAME"), tf.nn.relu(shared)

    graph, want = graph_of(OpCase("shared", "Const", net, [X]))
    _, trt = find_flavour("tensorrt_rtx")
    builder = trt.Builder(process_logger(trt))
    made = network_of(graph, registry, trt, builder)
    assert build(trt, builder, made.network, [X]) == ""
    for got, value in zip(interpret(trt, made, [X]), want, strict=True):
        np.testing.assert_allclose(got, value, rtol=1e-4, atol=1e-4)
