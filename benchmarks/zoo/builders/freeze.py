"""Concrete functions and Keras models as frozen graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from benchmarks.zoo.built import Built, Tensor


def freeze(function: Any) -> Built:
    """Freeze a ConcreteFunction. Loops and branches stay functions (While, If)."""
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    inputs = [Tensor.of(tensor) for tensor in frozen.inputs if tensor.dtype != tf.resource]
    return Built(frozen.graph.as_graph_def(), inputs, [Tensor.of(tensor) for tensor in frozen.outputs])


def freeze_keras(model: Any, inputs: Sequence[tf.TensorSpec] | None = None) -> Built:
    """Freeze a Keras model in inference mode, for the inputs given or else the model's own."""
    specs = inputs or [tf.TensorSpec(each.shape, each.dtype, name=each.name.split(":")[0]) for each in model.inputs]
    function = tf.function(lambda x: model(x, training=False), autograph=False)
    return freeze(function.get_concrete_function(*specs))
