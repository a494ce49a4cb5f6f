"""The engine `reference` in grafted graphs: TensorFlow's numbers from the network that TensorRT would build."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft.runtime
from tests.passes.graft import build, check, graft, run, x
from tfgraft.converters.decompositions.families import DECOMPOSITIONS
from tfgraft.converters.onnx.families import CONVERTERS as ONNX_CONVERTERS
from tfgraft.converters.tensorrt.families import CONVERTERS
from tfgraft.plugins.reference.options import ReferenceOptions
from tfgraft.plugins.reference.plugin import plugin
from tfgraft.registry.discovery import add_plugin
from tfgraft.registry.plugin import Plugin
from tfgraft.registry.registry import Registry

R = np.random.default_rng(1)


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Hold the engine with TensorRT's converters."""
    pytest.importorskip("tensorrt_rtx")
    registry = Registry()
    add_plugin(registry, Plugin("tensorrt", converters=CONVERTERS, decompositions=DECOMPOSITIONS))
    add_plugin(registry, plugin())
    return registry


def _weights(*shape: int) -> Any:
    return tf.constant(R.normal(size=shape).astype("f") / 4)


def _network(x: Any) -> Any:
    """Convolve, pool, multiply: weights of more than 256 bytes, activations in TensorFlow's order."""
    y = tf.nn.relu(tf.nn.conv2d(x, _weights(3, 3, 4, 16), 2, "SAME") + _weights(16))
    y = tf.nn.max_pool2d(tf.nn.depthwise_conv2d(y, _weights(3, 3, 16, 1), [1, 1, 1, 1], "SAME"), 2, 2, "VALID")
    y = tf.reduce_mean(tf.nn.relu6(y), (1, 2))
    return tf.nn.softmax(tf.matmul(y, _weights(16, 10)))


def _elementwise(x: Any) -> Any:
    return tf.tanh(tf.sigmoid(x) * tf.exp(-x)) + tf.sqrt(tf.abs(x))


def _check(function: Callable[[Any], Any], shapes: Sequence[Sequence[int]], registry: Registry, spec: Any) -> None:
    def make() -> None:
        tf.identity(function(tf.compat.v1.placeholder(tf.float32, spec, "x")), name="out")

    graph_def = build(make)
    result = graft(graph_def, ["out:0"], registry=registry, engine="reference")
    assert len(result.engines) == 1
    feeds = [{"x:0": R.normal(size=shape).astype("f")} for shape in shapes]
    check(graph_def, result, ["out:0"], *feeds)


def test_static_shapes(registry: Registry) -> None:
    _check(_network, [(2, 8, 8, 4)], registry, (2, 8, 8, 4))


def test_dynamic_shapes(registry: Registry) -> None:
    _check(_network, [(1, 8, 8, 4), (3, 13, 9, 4)], registry, (None, None, None, 4))


def test_elementwise(registry: Registry) -> None:
    _check(_elementwise, [(3, 4), (0, 4)], registry, (None, 4))


def test_the_route_through_onnx(registry: Registry) -> None:
    """The same model through NVIDIA's parser: TensorFlow's numbers again, from a network that is none of ours."""
    registry = registry.copy()
    add_plugin(registry, Plugin("onnx", converters=ONNX_CONVERTERS))
    graph_def = build(lambda: tf.identity(_network(x(2, 8, 8, 4)), name="out"))
    grafted = tfgraft.optimize(graph_def, outputs=["out:0"], engine="reference", registry=registry, route="onnx")
    assert len(grafted.report.clusters) == 1
    feeds = {"x:0": R.normal(size=(2, 8, 8, 4)).astype("f")}
    tfgraft.runtime.reset_counters()
    (result,), (expected,) = run(grafted.graph_def, ["out:0"], feeds), run(graph_def, ["out:0"], feeds)
    np.testing.assert_allclose(result, expected, 1e-5, 1e-6)
    assert (tfgraft.runtime.counters().calls, tfgraft.runtime.counters().fallbacks) == (1, 0)


def test_options() -> None:
    made = ReferenceOptions.of({"check_build": False, "unknown": (1, 2, 3), "flavour": "tensorrt"})
    assert made == ReferenceOptions(False, {"unknown": (1, 2, 3), "flavour": "tensorrt"})
    with pytest.raises(ValueError, match="engine reference has no option 'checks'"):
        ReferenceOptions.of({"checks": False})
    with pytest.raises(ValueError, match="check_build is True or False"):
        ReferenceOptions.of({"check_build": 1})
    with pytest.raises(ValueError, match="option flavour"):
        ReferenceOptions.of({"flavour": "onnx"})


def test_what_tensorrt_does_not_build_is_found_by_the_check(registry: Registry) -> None:
    """TensorRT-RTX takes the layer NonZero and has no kernel for it."""
    registry = registry.copy()

    @registry.converter("Exp", engine="tensorrt")
    def many(ctx: Any, view: Any) -> None:
        value = ctx.get(view, 0)
        layer = ctx.layer("non_zero", value)
        rows = ctx.add("shape", ctx.checked(layer.get_output(0), "non_zero"))
        count = ctx.cast(ctx.add("reduce", rows, ctx.trt.ReduceOperation.SUM, 1, True), "float32")
        zero = ctx.add("elementwise", count, count, ctx.trt.ElementWiseOperation.SUB)
        ctx.set(view, 0, ctx.add("elementwise", value, zero, ctx.trt.ElementWiseOperation.SUM))

    graph_def = build(lambda: tf.tanh(tf.exp(tf.nn.relu(x(5))), name="out"))
    result = graft(graph_def, ["out:0"], registry=registry, engine="reference")
    assert {node.code for node in result.report.nodes if node.op == "Exp"} == {"engine-rejected"}
    check(graph_def, result, ["out:0"], {"x:0": R.normal(size=5).astype("f")})
