"""Loading Keras models: Keras 3 and tf_keras, as objects or from `.keras` and `.h5` files."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfgraft.errors import ModelError, listing
from tfgraft.load.frozen import first_line
from tfgraft.load.function import load_concrete
from tfgraft.load.model import LoadedModel
from tfgraft.load.shapes import InputShapes, given_shape
from tfgraft.quiet import quiet_python

SUFFIXES = (".keras", ".h5", ".hdf5")


def is_keras(model: Any) -> bool:
    """Tell whether an object is a model of Keras 3, tf_keras or TensorFlow's own old Keras, importing none of them."""
    for kind in type(model).__mro__:
        package = kind.__module__.partition(".")[0]
        old = kind.__module__.startswith("tensorflow.python.keras")
        if kind.__name__ == "Model" and (package in ("keras", "tf_keras") or old):
            return True
    return False


def read_keras(path: Path) -> Any:
    """Read a model file with Keras 3, and if that fails with tf_keras.

    Raises:
        ModelError: neither can read it.
    """
    reasons = []
    for package in ("keras", "tf_keras"):
        try:
            module = importlib.import_module(package)
            with quiet_python():
                return module.models.load_model(str(path), compile=False)
        except Exception as error:  # Keras raises errors of every kind for a file that it cannot read
            reasons.append(f"{package}: {first_line(error)}")
    raise ModelError(
        f"{path} cannot be read as a Keras model ({'; '.join(reasons)}).",
        "If it needs custom layers, load it yourself and give the model object.",
    )


def load_keras(model: Any, source: str, outputs: Sequence[str] | None, input_shapes: InputShapes | None) -> LoadedModel:
    """Trace a Keras model for inference and freeze it.

    Raises:
        ModelError: its inputs are not known, or it cannot be traced.
    """
    structure, given = _input_structure(model, source, input_shapes)
    flat = tf.nest.flatten(structure)
    names = _unique([_plain(t.name) for t in flat])
    specs = [
        tf.TensorSpec(tuple(t.shape), tf.as_dtype(t.dtype), name=name) for t, name in zip(flat, names, strict=True)
    ]

    def call(*tensors: Any) -> Any:
        return model(tf.nest.pack_sequence_as(structure, tensors), training=False)

    try:
        with quiet_python():
            function = tf.function(call, input_signature=specs, autograph=False).get_concrete_function()
    except Exception as error:  # a layer's call is the user's code
        raise ModelError(f"{source} cannot be traced: {first_line(error)}") from error
    return load_concrete(
        function,
        source,
        outputs=outputs,
        input_shapes=given,
        names=(names, _output_names(model, function)),
        roots=(model,) if hasattr(model, "_trackable_children") else (),
    )


def _input_structure(model: Any, source: str, input_shapes: InputShapes | None) -> tuple[Any, InputShapes | None]:
    for attribute in ("_inputs_struct", "_nested_inputs", "inputs"):
        # A model with one input is called with the tensor, not with a list of one.
        structure = getattr(model, attribute, None)
        if structure is not None and len(tf.nest.flatten(structure)) > 0:
            flat = tf.nest.flatten(structure)
            single = len(flat) == 1 and not isinstance(structure, Mapping)
            return (flat[0] if single else structure), input_shapes
    if input_shapes is None or isinstance(input_shapes, Mapping):
        raise ModelError(
            f"The inputs of {source} are not known: it has not been built from Input layers.",
            "Give input_shapes as a list, such as [(None, 224, 224, 3)].",
        )
    dtype = getattr(model, "input_dtype", None) or "float32"
    specs = [
        tf.TensorSpec([None if d < 0 else d for d in given_shape(shape or ())], dtype, name=f"input_{i}")
        for i, shape in enumerate(input_shapes)
    ]
    return (specs[0] if len(specs) == 1 else specs), None


def _output_names(model: Any, function: Any) -> list[str] | None:
    if isinstance(function.structured_outputs, Mapping):
        return None
    names = getattr(model, "output_names", None)
    if not names:
        return None
    return _unique([str(n) for n in names]) if len(names) == len(function.outputs) else None


def _plain(name: str) -> str:
    return name.partition(":")[0]


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        count = seen.get(name, 0)
        seen[name] = count + 1
        unique.append(f"{name}_{count}" if count else name)
    return unique


def describe(model: Any) -> str:
    """Return what to call a model object in messages."""
    return f"Keras model {listing([repr(getattr(model, 'name', type(model).__name__))])}"
