"""Half precision through real engines: the numbers of the float32 graph, and of the native segment.

The reference engine has TensorRT-RTX build every network, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft.runtime
from tests.passes.graft import Result, build, graft, run, v1, x
from tests.passes.half import FORMING, autocast, pipeline
from tfgraft.load import load
from tfgraft.passes.autocast import Autocast
from tfgraft.passes.calibrate import Calibrate, float_tensors
from tfgraft.registry.registry import Registry

ENGINES = [("onnxruntime", "FP16"), ("reference", "FP16"), ("reference", "BF16")]
TOLERANCE = {"FP16": 4e-3, "BF16": 3e-2}
R = np.random.default_rng(7)


def weight(*shape: int) -> Any:
    """Return a constant that keeps the size of what it is multiplied with."""
    return tf.constant((R.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))).astype("f"))


def norm(value: Any, axes: list[int]) -> Any:
    """Normalize as Keras does."""
    mean, variance = tf.nn.moments(value, axes, keepdims=True)
    size = value.shape[-1]
    return tf.nn.batch_normalization(value, mean, variance, tf.ones([size]) * 1.5, tf.ones([size]) / 8, 1e-6)


def transformer() -> None:
    """One block: attention with a mask, two normalizations, a feed-forward part with GELU."""
    value = x(None, 6, 16)
    query, key, content = (tf.transpose(tf.reshape(value @ weight(16, 16), [-1, 6, 2, 8]), [0, 2, 1, 3]) for _ in "qkv")
    scores = tf.matmul(query, key, transpose_b=True) / np.sqrt(8).astype("f")
    scores += tf.constant(np.triu(np.full((6, 6), -1e9, "f"), 1))
    mixed = tf.matmul(tf.nn.softmax(scores), content)
    value = norm(value + tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [-1, 6, 16]) @ weight(16, 16), [2])
    value = norm(value + tf.nn.gelu(value @ weight(16, 64)) @ weight(64, 16), [2])
    tf.identity(value, name="out")


def convolutions() -> None:
    """An inverted residual block, a squeeze-and-excitation, a resize, a head."""
    value = tf.nn.relu6(tf.nn.conv2d(x(None, 16, 16, 3), weight(3, 3, 3, 16), 2, "SAME") + tf.ones([16]))
    inner = tf.nn.depthwise_conv2d(value, weight(3, 3, 16, 1) * 4, [1, 1, 1, 1], "SAME")
    value += tf.nn.conv2d(tf.nn.swish(inner), weight(1, 1, 16, 16), 1, "SAME")
    gate = tf.sigmoid(tf.nn.conv2d(tf.reduce_mean(value, [1, 2], keepdims=True), weight(1, 1, 16, 16), 1, "SAME"))
    value = tf.raw_ops.ResizeBilinear(images=value * gate, size=[16, 16], half_pixel_centers=True)
    value = tf.nn.max_pool2d(tf.nn.conv2d(value, weight(3, 3, 16, 8), 1, "SAME"), 2, 2, "SAME")
    tf.nn.softmax(tf.reshape(value, [-1, 512]) @ weight(512, 10), name="out")


MODELS: dict[str, tuple[Callable[[], None], Any]] = {
    "transformer": (transformer, R.standard_normal((3, 6, 16)).astype("f")),
    "convolutions": (convolutions, R.standard_normal((2, 16, 16, 3)).astype("f")),
}


def graft_half(graph_def: Any, fetches: list[str], registry: Registry, engine: str, precision: str) -> Result:
    """Graft with `autocast` in the pipeline."""
    step = Autocast(precision, forming=FORMING)
    return graft(graph_def, fetches, registry=registry, engine=engine, pipeline=pipeline(step))


def distance(got: Any, want: Any) -> float:
    """Return the relative L2 error."""
    assert got.dtype == want.dtype == np.float32
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("engine", "precision"), ENGINES)
def test_models(registry: Registry, model: str, engine: str, precision: str) -> None:
    function, feed = MODELS[model]
    graph_def = build(function)
    result = graft_half(graph_def, ["out:0"], registry, engine, precision)
    assert len(result.engines) == 1
    assert [info.dtype for built in result.ctx.results["built"] for info in built.engine.inputs] == ["float32"]
    tfgraft.runtime.reset_counters()
    (got,) = run(result.graph_def, ["out:0"], {"x:0": feed})
    assert tfgraft.runtime.counters().fallbacks == 0
    (want,) = run(graph_def, ["out:0"], {"x:0": feed})
    native = autocast(graph_def, ["out:0"], registry, engine=engine, precision=precision).graph_def
    (segment,) = run(native, ["out:0"], {"x:0": feed})
    assert 0 < distance(got, want) < TOLERANCE[precision]
    assert 0 < distance(segment, want) < TOLERANCE[precision]


@pytest.mark.parametrize("precision", ["FP16", "BF16"])
def test_weights_take_half_the_room(registry: Registry, precision: str) -> None:
    graph_def = build(lambda: tf.identity(tf.tanh(x(None, 256) @ weight(256, 512)) @ weight(512, 8), name="out"))
    result = graft_half(graph_def, ["out:0"], registry, "reference", precision)
    sizes = [len(n.attr["value"].tensor.tensor_content) for n in result.graph_def.node if n.op == "Const"]
    assert sorted(sizes) == [2 * 512 * 8, 2 * 256 * 512]
    (engine,) = result.ctx.results["built"]
    assert {info.dtype for info in engine.engine.weights} == {TYPES[precision]}


TYPES = {"FP16": "float16", "BF16": "bfloat16"}


def test_calibration_finds_what_overflows(registry: Registry) -> None:
    def model() -> None:
        value = tf.tanh(x(None, 16) @ weight(16, 16))
        value = (value * 3e4) @ tf.ones([16, 16])  # out of FP16's range, for some feeds
        tf.identity(tf.abs(value * 1e-4) @ weight(16, 16), name="out")

    graph_def = build(model)
    feeds = [{"x": R.standard_normal((3, 16)).astype("f")} for _ in range(4)]
    loaded = load(graph_def, outputs=["out:0"])
    with_table = pipeline(Autocast(forming=FORMING)).insert(Calibrate(feeds, loaded, float_tensors), before="autocast")
    result = graft(graph_def, ["out:0"], registry=registry, engine="reference", pipeline=with_table)
    precisions = list(result.ctx.results["precision"].values())
    assert {"FP16", "FP32"} == set(precisions)
    without = graft_half(graph_def, ["out:0"], registry, "reference", "FP16")
    fed = {"x:0": np.concatenate([feed["x"] for feed in feeds])}
    (got,), (want,), (bad,) = (run(g, ["out:0"], fed) for g in (result.graph_def, graph_def, without.graph_def))
    assert distance(got, want) < TOLERANCE["FP16"]
    assert not np.isfinite(bad).all()


def loop_v1() -> None:
    """A TensorFlow 1 loop: constants in it have control inputs."""

    def body(i: Any, value: Any) -> tuple[Any, Any]:
        return i + 1, tf.tanh(tf.matmul(value, tf.constant(np.eye(4, dtype="f") * 1.25)) + 0.1)

    value = v1.while_loop(lambda i, value: i < 3, body, [tf.constant(0), x(None, 4)])[1]
    tf.identity(tf.nn.relu(value @ weight(4, 4)), name="out")


def loop_v2() -> None:
    """A loop whose body is a function, in part for engines."""

    def body(i: Any, value: Any) -> tuple[Any, Any]:
        native = tf.math.digamma(tf.abs(value) + 1.0)
        return i + 1, tf.tanh(tf.matmul(native, tf.constant(np.eye(4, dtype="f") * 1.25)) + 0.1)

    value = tf.while_loop(lambda i, value: i < tf.size(value) // 4, body, [tf.constant(0), x(None, 4)])[1]
    tf.identity(tf.nn.relu(value @ weight(4, 4)), name="out")


def branch_v1() -> None:
    """A TensorFlow 1 branch."""
    value = x(None, 4)
    large = tf.reduce_sum(value) > 0.0
    chosen = v1.cond(large, lambda: tf.tanh(value @ weight(4, 4)), lambda: tf.nn.relu(value @ weight(4, 4)))
    tf.identity(tf.nn.relu(chosen @ weight(4, 4)), name="out")


@pytest.mark.parametrize("engine", ["onnxruntime", "reference"])
@pytest.mark.parametrize(("model", "old"), [(loop_v1, True), (loop_v2, False), (branch_v1, True)])
def test_control_flow(registry: Registry, model: Callable[[], None], old: bool, engine: str) -> None:
    graph_def = build(model, control_flow_v1=old)
    result = graft_half(graph_def, ["out:0"], registry, engine, "FP16")
    assert result.engines
    assert {"FP16"} <= set(result.ctx.results["precision"].values())
    for feed in (R.standard_normal((3, 4)).astype("f"), np.full((2, 4), -0.5, "f")):
        tfgraft.runtime.reset_counters()
        (got,) = run(result.graph_def, ["out:0"], {"x:0": feed})
        assert tfgraft.runtime.counters().fallbacks == 0
        (want,) = run(graph_def, ["out:0"], {"x:0": feed})
        assert np.linalg.norm(got - want) <= 4e-3 * np.linalg.norm(want)


def test_a_body_computes_in_half_precision(registry: Registry) -> None:
    result = graft_half(build(loop_v2), ["out:0"], registry, "onnxruntime", "FP16")
    inside = [value for (function, _), value in result.ctx.results["precision"].items() if function]
    assert inside.count("FP16") >= 3
