"""Small models in the forms that TF-TRT's users have: a frozen graph, and SavedModels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

TOLERANCES = {"FP32": (1e-5, 1e-5), "FP16": (2e-2, 1e-2), "INT8": (3e-1, 1e-1)}
"""(Absolute, relative) tolerances of TF-TRT's own tests."""
Array = NDArray[Any]


def weights() -> dict[str, Array]:
    """Return the weights of the network."""
    random = np.random.default_rng(0)
    shapes = {"k0": (3, 3, 3, 16), "b0": (16,), "k1": (3, 3, 16, 32), "b1": (32,), "w": (32, 10)}
    values = {name: random.normal(size=shape) for name, shape in shapes.items()}
    return {name: (v / np.sqrt(max(v.size / v.shape[-1], 9))).astype(np.float32) for name, v in values.items()}


def network(x: Any, w: Any) -> Any:
    """Return the logits of a network of two convolutions; w has its weights by name."""
    h = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, w["k0"], 1, "SAME", name="conv0"), w["b0"]), name="relu0")
    h = tf.nn.max_pool2d(h, 2, 2, "SAME")
    h = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(h, w["k1"], 1, "SAME", name="conv1"), w["b1"]), name="relu1")
    return tf.linalg.matmul(tf.reduce_mean(h, [1, 2]), w["w"], name="logits")


def frozen_graph() -> Any:
    """input [?, 24, 24, 3] -> conv0, relu0, conv1, relu1 -> logits -> output/Softmax."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 24, 24, 3], "input")
        logits = network(x, {name: tf.constant(value, name=name) for name, value in weights().items()})
        tf.nn.softmax(logits, name="output/Softmax")
    return graph.as_graph_def()


class Net(tf.Module):  # type: ignore[misc]
    """The same with variables and two inputs, images of any size, and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.w = {name: tf.Variable(value) for name, value in weights().items()}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.float32, name="image"),
            tf.TensorSpec([None, 10], tf.float32, name="prior"),
        ]
    )  # type: ignore[untyped-decorator]
    def __call__(self, image: Any, prior: Any) -> Any:
        logits = network(image, self.w) + prior
        return {"logits": logits, "probabilities": tf.nn.softmax(logits)}


def saved_model(folder: Path) -> Path:
    """Write `Net` as a SavedModel."""
    net = Net()
    tf.saved_model.save(net, str(folder), signatures=net.__call__.get_concrete_function())
    return folder


def saved_model_v1(folder: Path) -> Path:
    """Write the frozen graph's network as TensorFlow 1 does, with its weights as variables."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 24, 24, 3], "input")
        w = {name: v1.get_variable(name, initializer=value, use_resource=True) for name, value in weights().items()}
        y = tf.nn.softmax(network(x, w), name="output/Softmax")
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder), {"x": x}, {"y": y})
    return folder


def images(count: int, seed: int = 1, size: int = 24) -> Array:
    """Return images with values from 0 to 1, of (size, size, 3)."""
    return np.random.default_rng(seed).random((count, size, size, 3), dtype=np.float32)


def run(graph_def: Any, x: Array, output: str = "output/Softmax:0") -> Array:
    """Run a GraphDef in a Session."""
    with tf.Graph().as_default():
        (y,) = tf.graph_util.import_graph_def(graph_def, return_elements=[output], name="")
        with tf.compat.v1.Session() as session:
            result: Array = session.run(y, {"input:0": x})
    return result


def close(mode: str, actual: Array, wanted: Array) -> None:
    """Assert that a result is within TF-TRT's tolerance for a precision."""
    absolute, relative = TOLERANCES[mode]
    np.testing.assert_allclose(actual, wanted, rtol=relative, atol=absolute)


def engines(graph_def: Any) -> list[Any]:
    """Return the engine nodes of a GraphDef."""
    return [node for node in graph_def.node if node.op == "TfGraft>Engine"]
