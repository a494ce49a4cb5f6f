"""Loading a frozen GraphDef, from a file or as an object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from tfgraft.errors import ModelError
from tfgraft.graph.view import Shape
from tfgraft.load.check import check_frozen, check_graph
from tfgraft.load.ends import find_inputs, find_outputs, output_types, resolve_outputs
from tfgraft.load.model import LoadedModel, NamedTensor
from tfgraft.load.shapes import InputShapes, match_shapes, set_shapes
from tfgraft.outside import with_hollow_weights

_IMPORT_LIMIT = 20_000
"""Graphs with more nodes are not imported to check them and to infer output shapes: it costs 75 us a node."""


def read_graph_def(path: Path) -> Any:
    """Read a GraphDef from a binary `.pb` or a text `.pbtxt` file.

    Raises:
        ModelError: the file holds no GraphDef.
    """
    graph_def = tf.compat.v1.GraphDef()
    data = path.read_bytes()
    if not data:
        raise ModelError(f"{path} is empty.", "Was it written to the end?")
    if path.suffix in (".pbtxt", ".txt"):
        try:
            text_format.Parse(data.decode(), graph_def)
        except (text_format.ParseError, UnicodeDecodeError) as error:
            raise ModelError(f"{path} is not a GraphDef in text form: {error}.") from error
        return graph_def
    try:
        graph_def.ParseFromString(data)
    except DecodeError as error:
        if _is_saved_model(data):
            raise ModelError(f"{path} is a SavedModel's file, not a frozen graph.", _SAVED_MODEL_HINT) from error
        raise ModelError(
            f"{path} is not a GraphDef: it cannot be parsed as a protobuf ({len(data)} bytes).",
            "The file is truncated or damaged, or is of another kind.",
        ) from error
    if not any(node.name and node.op for node in graph_def.node) and _is_saved_model(data):
        raise ModelError(f"{path} is a SavedModel's file, not a frozen graph.", _SAVED_MODEL_HINT)
    return graph_def


_SAVED_MODEL_HINT = "Give the SavedModel directory, with its variables beside the file."


def _is_saved_model(data: bytes) -> bool:
    message = saved_model_pb2.SavedModel()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return False
    return any(meta.graph_def.node for meta in message.meta_graphs)


def load_graph_def(
    graph_def: Any, source: str, outputs: Sequence[str] | None, input_shapes: InputShapes | None
) -> LoadedModel:
    """Load a frozen GraphDef; `graph_def` itself is not changed.

    Raises:
        ModelError: see `tfgraft.load.load`.
    """
    index = check_graph(graph_def, source)
    names = resolve_outputs(index, outputs, source) if outputs is not None else find_outputs(index, source)
    wanted = tuple(input_shapes) if isinstance(input_shapes, Mapping) else ()
    every = index.reachable(names)
    inputs, optional = find_inputs(index, every, wanted)
    # What computes the default of an input that is fed is not needed, nor are the inputs of that.
    used = index.reachable(names, stop=frozenset(i.node for i in inputs))
    inputs, optional = find_inputs(index, used, wanted)
    check_frozen(index, used, source)
    if input_shapes is not None:
        shapes = match_shapes(inputs, input_shapes, {})
        graph_def = set_shapes(graph_def, inputs, shapes)
        inputs = tuple(replace(i, shape=shapes.get(i.name, i.shape)) for i in inputs)
    return LoadedModel(graph_def, inputs, describe_outputs(graph_def, names, source), None, optional, source=source)


def describe_outputs(graph_def: Any, names: Sequence[str], source: str) -> tuple[NamedTensor, ...]:
    """Return the outputs with their types, and with their shapes where the graph is small enough to import.

    Raises:
        ModelError: TensorFlow does not accept the graph.
    """
    shapes: dict[str, Shape] = {}
    if len(graph_def.node) <= _IMPORT_LIMIT:
        shapes = _import_shapes(graph_def, names, source)
    nodes = {name.rpartition(":")[0] for name in names}
    types = {node.name: output_types(graph_def, node) for node in graph_def.node if node.name in nodes}
    described = []
    for name in names:
        node, _, port = name.rpartition(":")
        described.append(NamedTensor(name, types[node][int(port)], shapes.get(name)))
    return tuple(described)


def _import_shapes(graph_def: Any, names: Sequence[str], source: str) -> dict[str, Shape]:
    # Importing is also TensorFlow's own check of attributes, types and numbers of inputs.
    try:
        with tf.Graph().as_default():
            hollow = with_hollow_weights(graph_def)
            tensors = tf.graph_util.import_graph_def(hollow, return_elements=list(names), name="")
    except (ValueError, tf.errors.OpError) as error:
        raise ModelError(f"TensorFlow does not accept the graph of {source}: {first_line(error)}") from error
    return {
        name: None if tensor.shape.rank is None else tuple(-1 if d is None else d for d in tensor.shape)
        for name, tensor in zip(names, tensors, strict=True)
    }


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, at most 300 characters of it."""
    text = str(error).strip() or type(error).__name__
    line = text.splitlines()[0]
    return line if len(line) <= 300 else line[:297] + "..."
