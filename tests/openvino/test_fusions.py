"""What transformers are made of, written out by TensorFlow, becomes the layers that OpenVINO has for it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf

import tfgraft
from benchmarks.encoders import ENCODERS, Size
from tests.openvino.nets import v1
from tests.passes.graft import build, check, graft, run
from tfgraft.load import load
from tfgraft.registry.registry import Registry

RNG = np.random.default_rng(0)


def _values(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


def _norm(x: Any) -> Any:
    mean, variance = tf.nn.moments(x, [2], keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-3)


def _block(batch: int | None, approximate: bool) -> None:
    """Add a normalization, a Dense by Tensordot and a Gelu."""
    y = _norm(v1.placeholder(tf.float32, [batch, 5, 12], "x")) * _values(12) + _values(12)
    y = tf.tensordot(y, tf.constant(_values(12, 20)), [[2], [0]]) + tf.constant(_values(20))
    tf.identity(tf.nn.gelu(y, approximate=approximate), name="y")


@pytest.mark.parametrize("batch", [None, 3])
@pytest.mark.parametrize(("approximate", "gelu"), [(False, "Gelu"), (True, "FastGelu")])
def test_normalizations_products_and_gelus_are_a_node_each(batch: int | None, approximate: bool, gelu: str) -> None:
    graph_def = build(lambda: _block(batch, approximate))
    result = graft(graph_def, ["y:0"], registry=Registry.default(), engine="openvino")
    (engine,) = result.engines
    ops = Counter(node.op_type for node in onnx.ModelProto.FromString(engine.attr["payload"].s).graph.node)
    assert ops - Counter({"Identity": 1}) == Counter({"LayerNormalization": 1, "MatMul": 1, "Add": 1, gelu: 1}), ops
    feeds = [_values(3, 5, 12)] if batch else [_values(1, 5, 12), _values(4, 5, 12)]
    check(graph_def, result, ["y:0"], *({"x:0": feed} for feed in feeds))


def test_a_normalization_with_a_large_mean_keeps_its_digits() -> None:
    graph_def = build(lambda: tf.identity(_norm(v1.placeholder(tf.float32, [2, 5, 12], "x")), name="y"))
    result = graft(graph_def, ["y:0"], registry=Registry.default(), engine="openvino", minimum_segment_size=1)
    assert len(result.engines) == 1
    x = _values(2, 5, 12) + np.float32(100)
    exact = x.astype(np.float64)
    exact = (exact - exact.mean(-1, keepdims=True)) / np.sqrt(exact.var(-1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(run(result.graph_def, ["y:0"], {"x:0": x})[0], exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["Keras 3, mask", "tf_keras, pre-norm, tanh", "BERT, any length"])
@pytest.mark.parametrize("engine", ["openvino", "litert"])
def test_encoders_with_an_open_batch_are_one_engine(name: str, engine: str) -> None:
    encoder = ENCODERS[name]
    size = Size(layers=1, positions=None if encoder.open_length else 6, width=16, heads=2, inside=32)
    loaded = load(encoder.make(size))
    grafted = tfgraft.optimize(loaded, engine=engine, strict=True)
    assert len([node for node in grafted.graph_def.node if node.op == tfgraft.runtime.OP_NAME]) == 1, grafted.report
    tfgraft.runtime.reset_counters()
    for batch in (1, 3):
        by_rank = {array.ndim: array for array in encoder.feeds(batch, 6, 16)}
        feed = {spec.name: by_rank[len(spec.shape or ())] for spec in loaded.inputs}
        outputs = [spec.name for spec in loaded.outputs]
        for got, want in zip(run(grafted.graph_def, outputs, feed), run(loaded.graph_def, outputs, feed), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)
    assert tfgraft.runtime.counters().fallbacks == 0
