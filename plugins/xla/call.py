"""Calling a cluster's function with XLA, outside of the graph that it was cut from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfgraft.graph import dtypes
from tfgraft.graph.attrs import encode
from tfgraft.graph.functions import MUST_COMPILE
from tfgraft.graph.view import TensorInfo

CALL: dict[str, bool | int | str] = {MUST_COMPILE: True}
"""What makes a function's call XLA's: TensorFlow compiles it at the first run with new shapes, and keeps the result."""
FUNCTION = "TfGraft_xla"
"""The cluster's function in the payload's library."""


def call_function(library: bytes, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> Any:
    """Return a ConcreteFunction that takes all inputs in order and returns the list of outputs, by XLA.

    Args:
        library: a serialized `FunctionDefLibrary` that has the function `FUNCTION` and what it calls.
        inputs: types and shapes of all of its arguments.
        outputs: the same of its results.
    """
    import tensorflow as tf
    from tensorflow.core.framework import function_pb2, graph_pb2

    from tfgraft.load.rename import rename_functions

    graph_def = graph_pb2.GraphDef()
    graph_def.versions.producer = tf.version.GRAPH_DEF_VERSION
    graph_def.library.CopyFrom(function_pb2.FunctionDefLibrary.FromString(library))
    call = graph_def.node.add(name="call", op="StatefulPartitionedCall", input=[f"in{i}" for i in range(len(inputs))])
    call.attr["f"].func.name = FUNCTION
    call.attr["Tin"].list.type.extend(dtypes.enum_of(info.dtype) for info in inputs)
    call.attr["Tout"].list.type.extend(dtypes.enum_of(info.dtype) for info in outputs)
    for name, value in CALL.items():
        call.attr[name].CopyFrom(encode(value))
    rename_functions(graph_def)

    def run(*tensors: Any) -> Any:
        feeds = {f"in{i}:0": tensor for i, tensor in enumerate(tensors)}
        return tf.graph_util.import_graph_def(graph_def, feeds, [f"call:{i}" for i in range(len(outputs))], name="")

    shapes = [None if i.shape is None else [None if d < 0 else d for d in i.shape] for i in inputs]
    specs = [tf.TensorSpec(shape, info.dtype) for shape, info in zip(shapes, inputs, strict=True)]
    return tf.compat.v1.wrap_function(run, specs)
