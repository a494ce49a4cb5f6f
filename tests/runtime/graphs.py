"""Graphs with one engine node, as the optimizer makes them: a node, and the native segment in the library."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from tfgraft.plugins.protocol import Array, BuiltEngine
from tfgraft.runtime import add_functions, engine_node_def

_NAMES = itertools.count()


def segment_function(dtype: str, scale: float, shift: float, weighted: bool, name: str) -> Any:
    """Return the FunctionDef of x * scale + shift, or of x * weight + shift with a second argument."""
    kind = tf.as_dtype(dtype)
    specs = [tf.TensorSpec(None, kind)] * (2 if weighted else 1)

    def body(x: Any, *weights: Any) -> Any:
        if kind == tf.bool:
            return tf.identity(x)
        return x * (weights[0] if weights else tf.cast(scale, kind)) + tf.cast(shift, kind)

    concrete = tf.function(body, input_signature=specs).get_concrete_function()
    definition = type(concrete.function_def)()
    definition.CopyFrom(concrete.function_def)
    definition.signature.name = name
    return definition


def engine_graph(
    built: BuiltEngine,
    fingerprint: str,
    name: str = "",
    weights: Sequence[Array] = (),
    strict: bool = False,
    scale: float = 2.0,
    shift: float = 1.0,
) -> tuple[Any, str]:
    """Return a GraphDef x -> engine node, and the node's name (unique unless given)."""
    name = name or f"engine_{next(_NAMES)}"
    dtype = built.inputs[0].dtype
    segment = f"{name}_segment"
    graph = graph_pb2.GraphDef()
    graph.versions.producer = tf.version.GRAPH_DEF_VERSION
    graph.library.function.append(segment_function(dtype, scale, shift, bool(weights), segment))
    placeholder = graph.node.add(name="x", op="Placeholder")
    placeholder.attr["dtype"].type = tf.as_dtype(dtype).as_datatype_enum
    placeholder.attr["shape"].shape.unknown_rank = True
    inputs = ["x"]
    for i, value in enumerate(weights):
        const = graph.node.add(name=f"w{i}", op="Const")
        const.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
        const.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        inputs.append(const.name)
    graph.node.append(
        engine_node_def(name, built, inputs=inputs, segment=segment, fingerprint=fingerprint, strict=strict)
    )
    return graph, name


def session_of(graph_def: Any, **config: Any) -> Any:
    """Return a Session with the graph imported."""
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    return tf.compat.v1.Session(graph=graph, config=tf.compat.v1.ConfigProto(**config))


def run_once(graph_def: Any, name: str, x: Any, **config: Any) -> Any:
    """Run the engine node once in a Session of its own."""
    with session_of(graph_def, **config) as session:
        return session.run(f"{name}:0", {"x:0": x})


def function_of(graph_def: Any, name: str, dtype: str = "float32") -> Any:
    """Return a tf.function with the graph as its body."""
    add_functions(graph_def)

    @tf.function(input_signature=[tf.TensorSpec(None, dtype)])  # type: ignore[untyped-decorator]
    def call(x: Any) -> Any:
        return tf.graph_util.import_graph_def(graph_def, {"x": x}, [f"{name}:0"], name="")[0]

    return call


def numbers(*shape: int, dtype: Any = "float32") -> Array:
    """Return small whole numbers, exact in every type."""
    return (np.arange(int(np.prod(shape))) % 7).reshape(shape).astype(dtype)
