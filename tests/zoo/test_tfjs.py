"""TensorFlow.js graph models as GraphDefs: weights of every kind, and fused ops against TensorFlow's own numbers."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.zoo.stages.calls import session_call
from benchmarks.zoo.tfjs import graph_model, read_weights

FLOAT = {"type": "DT_FLOAT"}


def weight(
    name: str, shape: list[int], dtype: str = "float32", quantization: dict[str, Any] | None = None
) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name, "shape": shape, "dtype": dtype}
    return {**entry, "quantization": quantization} if quantization else entry


def test_weights_of_every_kind() -> None:
    data = (
        np.array([1.5, -2], "<f4").tobytes()
        + np.array([0.5], "<f2").tobytes()
        + bytes([0, 255])
        + bytes([3])
        + b"\x02\x00\x00\x00ab\x00\x00\x00\x00"
    )
    manifest = [
        {"weights": [weight("plain", [2]), weight("half", [], quantization={"dtype": "float16"})]},
        {
            "weights": [
                weight("bytes", [1, 2], quantization={"dtype": "uint8", "scale": 0.1, "min": -1.0}),
                weight("whole", [1], "int32", {"dtype": "uint8", "scale": 0.9, "min": 0.1}),
                weight("text", [2], "string"),
            ]
        },
    ]
    weights = read_weights(manifest, data)
    np.testing.assert_array_equal(weights["plain"], np.array([1.5, -2], np.float32))
    assert weights["half"].shape == ()
    assert weights["half"].dtype == np.float32
    np.testing.assert_allclose(weights["bytes"], [[-1, 24.5]], rtol=1e-6)
    np.testing.assert_array_equal(weights["whole"], np.array([3], np.int32))
    assert weights["text"].tolist() == [b"ab", b""]


def test_left_over_bytes_are_an_error() -> None:
    with pytest.raises(ValueError, match="take 4 bytes by the manifest, the shards have 5"):
        read_weights([{"weights": [weight("x", [1])]}], bytes(5))


def fused_model(steps: list[str], extra: dict[str, Any], op: str = "_FusedConv2D") -> tuple[dict[str, Any], bytes]:
    """A model of one fused op on `x`, with random weights."""
    shapes = {
        "_FusedConv2D": [3, 3, 4, 5],
        "FusedDepthwiseConv2dNative": [3, 3, 4, 1],
        "_FusedMatMul": [4, 5],
    }
    channels = 4 if op == "FusedDepthwiseConv2dNative" else 5
    names = ["kernel", *[f"argument{i}" for i, step in enumerate(steps) if step in ("BiasAdd", "Prelu")]]
    entries = [weight(name, shapes[op] if name == "kernel" else [channels]) for name in names]
    random = np.random.default_rng(1)
    data = b"".join(random.normal(size=entry["shape"]).astype("<f4").tobytes() for entry in entries)
    convolution = {
        "strides": {"list": {"i": ["1", "1", "1", "1"]}},
        "padding": {"s": "U0FNRQ=="},
        "data_format": {"s": "TkhXQw=="},
    }
    attrs = {"T": FLOAT, "fused_ops": {"list": {"s": [encoded(step) for step in steps]}}, **extra}
    fused = {
        "name": "out",
        "op": op,
        "input": ["x", *names],
        "attr": {**attrs, **(convolution if "Conv" in op else {})},
    }
    constants = [{"name": name, "op": "Const", "attr": {"dtype": FLOAT}} for name in names]
    nodes = [{"name": "x", "op": "Placeholder", "attr": {"dtype": FLOAT}}, *constants, fused]
    return {"modelTopology": {"node": nodes}, "weightsManifest": [{"weights": entries}]}, data


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("op", "steps", "expected"),
    [
        ("_FusedConv2D", ["BiasAdd", "Relu6"], lambda y, bias: np.clip(y + bias, 0, 6)),
        ("_FusedConv2D", ["BiasAdd", "LeakyRelu"], lambda y, bias: np.where(y + bias > 0, y + bias, 0.3 * (y + bias))),
        ("_FusedConv2D", ["BiasAdd", "Prelu"], None),
        ("FusedDepthwiseConv2dNative", ["BiasAdd"], lambda y, bias: y + bias),
        ("_FusedMatMul", ["BiasAdd", "Elu"], lambda y, bias: np.where(y + bias > 0, y + bias, np.expm1(y + bias))),
    ],
)
def test_fused_ops_compute_what_they_stand_for(op: str, steps: list[str], expected: Any) -> None:
    model, data = fused_model(steps, {"leakyrelu_alpha": {"f": 0.3}}, op)
    weights = read_weights(model["weightsManifest"], data)
    built = graph_model(model, data)
    assert [each.name for each in built.inputs] == ["x:0"]
    assert [each.name for each in built.outputs] == ["out:0"]
    assert not any(node.op == op or node.op == "Prelu" for node in built.graph_def.node)
    x = np.random.default_rng(2).normal(size=(2, 4) if op == "_FusedMatMul" else (1, 6, 6, 4)).astype(np.float32)
    (result,) = session_call(built.graph_def, ["out:0"], {"x:0": x}, intra=1, inter=1)()
    if op == "_FusedMatMul":
        y = x @ weights["kernel"]
    elif op == "_FusedConv2D":
        y = tf.nn.conv2d(x, weights["kernel"], 1, "SAME").numpy()
    else:
        y = tf.nn.depthwise_conv2d(x, weights["kernel"], [1, 1, 1, 1], "SAME").numpy()
    if expected is None:
        shifted = y + weights["argument0"]
        wanted = np.where(shifted > 0, shifted, weights["argument1"] * shifted)
    else:
        wanted = expected(y, weights["argument0"])
    np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)


def test_an_unknown_fused_step_is_named() -> None:
    with pytest.raises(ValueError, match="'out' has the fused step 'Mish'"):
        graph_model(*fused_model(["BiasAdd", "Mish"], {}))
