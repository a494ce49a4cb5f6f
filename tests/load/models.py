"""Small models that the tests of loading and of the command line share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


def frozen_graph(dynamic: bool = True) -> Any:
    """x [?, 8] -> MatMul, BiasAdd, Relu, Softmax "y"; and "z", the sum of the Relu."""
    random = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None if dynamic else 2, 8], "x")
        h = tf.linalg.matmul(x, tf.constant(random.normal(size=(8, 4)).astype("f")), name="mm")
        h = tf.nn.relu(tf.nn.bias_add(h, tf.constant([0.1, 0.2, 0.3, 0.4]), name="bias"), name="relu")
        tf.nn.softmax(h, name="y")
        tf.reduce_sum(h, name="z")
    return graph.as_graph_def()


class Linear(tf.Module):  # type: ignore[misc]
    """Two signatures over one variable; `__call__` is a tf.function."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(np.arange(6, dtype="f").reshape(3, 2), name="w")

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="features")])  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        return {"scores": tf.nn.relu(x @ self.w), "total": tf.reduce_sum(x)}

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def double(self, x: Any) -> Any:
        return {"doubled": 2.0 * x @ self.w}

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def looped(self, x: Any) -> Any:
        for _ in tf.range(3):
            x = tf.nn.relu(x @ self.w @ tf.transpose(self.w))
        return {"x": x}


class Words(tf.Module):  # type: ignore[misc]
    """A lookup table with strings in and a weight behind it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        vocabulary = folder / "vocabulary.txt"
        vocabulary.write_text("red\ngreen\nblue\n")
        lines = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticHashTable(lines, -1)
        self.w = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])  # type: ignore[untyped-decorator]
    def __call__(self, words: Any) -> Any:
        ids = self.table.lookup(words)
        vectors = tf.gather(self.w, tf.maximum(ids, 0))
        return {"ids": ids, "vectors": tf.nn.relu(tf.sqrt(vectors) * 2.0 + 1.0)}


class Counter(tf.Module):  # type: ignore[misc]
    """A model that writes a variable."""

    def __init__(self) -> None:
        super().__init__()
        self.count = tf.Variable(0.0)
        self.w = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        return {"y": self.count.assign_add(x) * self.w}


def save(module: Any, path: Path, **signatures: Any) -> Path:
    """Save a module with signatures (default: `__call__` as serving_default)."""
    functions = signatures or {"serving_default": module.__call__}
    tf.saved_model.save(module, str(path), signatures={key: f.get_concrete_function() for key, f in functions.items()})
    return path


def save_v1(path: Path) -> Path:
    """Save a TensorFlow 1 SavedModel with a variable and a table that its initializer fills."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        words = v1.placeholder(tf.string, [None], "in/words")
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([10, 20], tf.int64)), -1
        )
        scale = v1.get_variable("scale", initializer=3.0, use_resource=True)
        out = tf.multiply(tf.cast(table.lookup(words), tf.float32), scale, name="out/scaled")
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        v1.saved_model.simple_save(
            session, str(path), {"the words": words}, {"scaled": out}, legacy_init_op=v1.tables_initializer()
        )
    return path


def run(loaded: Any, *values: Any) -> list[Any]:
    """Run a loaded model on values, as numpy arrays."""
    from tfgraft.function import make_function

    function = make_function(loaded.graph_def, loaded.inputs, loaded.outputs, loaded.resources)
    tensors = [tf.constant(v, dtype=i.dtype) for v, i in zip(values, loaded.inputs, strict=True)]
    return [t.numpy() for t in function(*tensors)]
