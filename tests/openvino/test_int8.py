"""INT8 by the engine openvino: quantized graphs become integer kernels, with the numbers of the quantized graph."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tfgraft.plugins.openvino import builder
from tfgraft.plugins.openvino.model import compile_model

v1 = tf.compat.v1
RNG = np.random.default_rng(0)


def residual_net() -> Any:
    """Return the GraphDef of convolutions with a sum, a pool, an average and a product behind them."""

    def convolution(value: Any, size: int) -> Any:
        kernel = RNG.standard_normal((size, size, int(value.shape[-1]), 32)).astype(np.float32)
        bias = RNG.standard_normal(32).astype(np.float32)
        return tf.nn.conv2d(value, kernel / (size * 6), 1, "SAME") + bias * 0.1

    graph = tf.Graph()
    with graph.as_default():
        image = v1.placeholder(tf.float32, [1, 14, 14, 32], "x")
        y = tf.nn.relu(convolution(image, 3))
        y = tf.nn.relu(y + convolution(tf.nn.relu(convolution(y, 1)), 3))
        depthwise = RNG.standard_normal((3, 3, 32, 1)).astype(np.float32) / 3
        y = tf.nn.relu6(tf.nn.depthwise_conv2d(y, depthwise, [1, 1, 1, 1], "SAME"))
        y = tf.reduce_mean(tf.nn.max_pool2d(y, 2, 2, "SAME"), [1, 2])
        tf.matmul(y, RNG.standard_normal((32, 64)).astype(np.float32), name="out")
    return graph.as_graph_def()


def _compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list to which each model that is compiled from now on is added."""
    compiled: list[Any] = []

    def keep(*args: Any) -> Any:
        compiled.append(compile_model(*args))
        return compiled[-1]

    monkeypatch.setattr(builder, "compile_model", keep)
    return compiled


on_x86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="kernels are told apart by their names on x86"
)


@on_x86
def test_convolutions_and_products_become_integer_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = _compiled(monkeypatch)
    model = tmp_path / "model.pb"
    model.write_bytes(residual_net().SerializeToString())
    feeds = [{"x:0": RNG.standard_normal((1, 14, 14, 32)).astype(np.float32)} for _ in range(4)]
    made = tfgraft.optimize(
        str(model), outputs=["out:0"], engine="openvino", precision="INT8", calibration=feeds, verify=True
    )
    assert len(made.report.clusters) == 1
    (check,) = made.report.verified
    assert check.engine_error < 0.03
    kernels = _kernels(compiled[-1])
    assert len(kernels["Convolution"]) == 4
    for kind in ("Convolution", "FullyConnected"):
        assert all("I8" in name for name in kernels[kind]), kernels


@on_x86
def test_paddings_and_strides_do_not_leave_the_integers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = _compiled(monkeypatch)

    def kernel(*shape: int) -> Any:
        return (RNG.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)

    graph = tf.Graph()
    with graph.as_default():
        image = v1.placeholder(tf.float32, [1, 13, 13, 16], "x")
        y = tf.nn.relu(tf.nn.conv2d(image, kernel(3, 3, 16, 16), 1, "SAME"))
        y = tf.nn.relu6(tf.nn.conv2d(tf.pad(y, [[0, 0], [0, 1], [0, 1], [0, 0]]), kernel(3, 3, 16, 16), 1, "VALID"))
        shortcut = tf.nn.conv2d(y, kernel(1, 1, 16, 32), 2, "SAME")
        y = tf.nn.relu(tf.nn.conv2d(y, kernel(1, 1, 16, 16), 2, "VALID"))
        tf.nn.relu(shortcut + tf.nn.conv2d(y, kernel(1, 1, 16, 32), 1, "SAME"), name="out")
    model = tmp_path / "model.pb"
    model.write_bytes(graph.as_graph_def().SerializeToString())
    feeds = [{"x:0": RNG.standard_normal((1, 13, 13, 16)).astype(np.float32)} for _ in range(4)]
    made = tfgraft.optimize(
        str(model), outputs=["out:0"], engine="openvino", precision="INT8", calibration=feeds, verify=True
    )
    (check,) = made.report.verified
    assert check.engine_error < 0.03
    kernels = _kernels(compiled[-1])
    assert "Pad" not in kernels
    assert len(kernels["Convolution"]) == 5
    for kind in ("Convolution", "MaxPool"):  # OpenVINO may have the convolution before skip instead of a MaxPool
        assert all("I8" in name for name in kernels.get(kind, ())), kernels


def _kernels(compiled: Any) -> dict[str, list[str]]:
    """Return the names of a compiled model's kernels by the layers' types."""
    kernels: dict[str, list[str]] = {}
    for layer in compiled.get_runtime_model().get_ops():
        info = layer.get_rt_info()
        kernels.setdefault(_text(info["layerType"]), []).append(_text(info["primitiveType"]))
    return kernels


def _text(value: Any) -> str:
    return str(value.astype(str)) if hasattr(value, "astype") else str(value)
