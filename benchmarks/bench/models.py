"""The models of the rows as frozen graphs whose inputs have the shapes of their feeds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.zoo.built import Array, Built, Tensor, load_arrays
from benchmarks.zoo.models import MODELS
from benchmarks.zoo.stages.calls import read_graph
from tfgraft.load.constants import write_constants

POSITIONS = 128
"""Length of the transformer encoder's sequences."""


class FixedBatch(ValueError):
    """A graph takes one batch only."""


def zoo_row(models: Path, name: str, batch: int) -> tuple[Built, dict[str, Array]]:
    """Return a model of the zoo and its real feed, repeated `batch` times; inputs that are constants are in neither.

    Raises:
        FixedBatch: the size of its batch is written into the graph.
    """
    facts = json.loads((models / f"{name}.json").read_text(encoding="utf-8"))
    inputs, outputs = ([Tensor.from_dict(each) for each in facts[side]] for side in ("inputs", "outputs"))
    feed = load_arrays(models / "samples" / f"{name}.npz")
    constants = {key: feed.pop(key) for key in MODELS[name].constants}
    inputs = [each for each in inputs if each.name not in constants]
    if batch > 1:
        feed = {each.name: _repeated(each, feed[each.name], batch) for each in inputs}
    graph_def = read_graph(models / f"{name}.pb")
    fix_inputs(graph_def, feed)
    write_constants(graph_def, {key: tf.make_tensor_proto(value) for key, value in constants.items()})
    # What only the defaults of inputs needed is not part of the model any more.
    kept = [each.name.rpartition(":")[0] for each in (*inputs, *outputs)]
    graph_def = tf.compat.v1.graph_util.extract_sub_graph(graph_def, kept)
    return Built(graph_def, [_fixed(each, feed) for each in inputs], outputs), feed


def _repeated(tensor: Tensor, value: Array, batch: int) -> Array:
    if value.ndim == 0:
        return value
    if tensor.shape is not None and tensor.shape[0] is not None:
        raise FixedBatch(f"input {tensor.name} has a batch of {tensor.shape[0]}")
    return np.repeat(value, batch, 0)


def fix_inputs(graph_def: Any, feed: Mapping[str, Array]) -> None:
    """Write the shapes of a feed into the placeholders; those with a default lose it, as they are fed."""
    values = {name.rpartition(":")[0]: value for name, value in feed.items()}
    for node in graph_def.node:
        if node.name in values:
            if node.op == "PlaceholderWithDefault":
                node.op = "Placeholder"
                del node.input[:]
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(values[node.name].shape).as_proto())
            node.attr.pop("_output_shapes", None)


def _fixed(tensor: Tensor, feed: Mapping[str, Array]) -> Tensor:
    return Tensor(tensor.name, tensor.dtype, feed[tensor.name].shape)


def keras_row(name: str, batch: int) -> tuple[Built, dict[str, Array]]:
    """Return a Keras net with random weights and made-up values for it."""
    from tfgraft.load import load

    model, shape = keras_net(name, batch)
    loaded = load(model, input_shapes=[shape])
    inputs, outputs = (
        [Tensor(each.name, each.dtype, each.shape) for each in side] for side in (loaded.inputs, loaded.outputs)
    )
    return Built(loaded.graph_def, inputs, outputs), {inputs[0].name: values(shape)}


def keras_net(name: str, batch: int) -> tuple[Any, tuple[int, ...]]:
    """Return a Keras net, and the shape of a batch for it.

    Biases, scales and the statistics of batch normalization are random too, as a trained net's are not zeros and ones.
    """
    import keras

    from benchmarks.encoders import ENCODERS, Size

    keras.utils.set_random_seed(0)
    if name == "encoder":
        size = Size(positions=POSITIONS)
        return ENCODERS["Keras 3"].make(size), (batch, POSITIONS, size.width)
    # Without the softmax: with random weights it gives one value a thousand times, and no error would show.
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    random = np.random.default_rng(0)
    for variable in model.variables:
        if len(variable.shape) == 1 and variable.dtype == "float32":
            noise = random.normal(0, 0.05, variable.shape).astype(np.float32)
            variable.assign(variable.numpy() + noise)
    return model, (batch, 224, 224, 3)


def values(shape: tuple[int, ...], seed: int = 0) -> Array:
    """Return made-up values for a Keras net: normal for the encoder's tokens, else uniform as pixels are."""
    random = np.random.default_rng(seed)
    return random.standard_normal(shape, np.float32) if len(shape) == 3 else random.random(shape, np.float32)
