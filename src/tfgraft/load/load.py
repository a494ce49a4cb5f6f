"""`load`: any kind of model in, one frozen model out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfgraft.errors import ModelError, nearest
from tfgraft.load import keras_model, saved_model
from tfgraft.load.constants import with_constants
from tfgraft.load.frozen import load_graph_def, read_graph_def
from tfgraft.load.function import concrete, load_concrete
from tfgraft.load.model import LoadedModel
from tfgraft.load.shapes import InputShapes

_KINDS = (
    "a SavedModel directory, a frozen .pb or .pbtxt file, a .keras or .h5 file, a GraphDef, a Keras model, a "
    "tf.function with an input signature, a ConcreteFunction or a loaded SavedModel"
)


def load(
    model: Any,
    *,
    outputs: Sequence[str] | None = None,
    input_shapes: InputShapes | None = None,
    constants: Mapping[str, Any] | None = None,
    signature: str | None = None,
    tags: Sequence[str] | None = None,
) -> LoadedModel:
    """Load a model and freeze it: variables that it only reads become constants.

    Args:
        model: a path (SavedModel directory, `.pb`, `.pbtxt`, `.keras`, `.h5`), a GraphDef or tf.Graph, a Keras 3 or
            tf_keras model, a tf.function with an input signature, a ConcreteFunction, a loaded SavedModel or a
            tf.Module whose `__call__` is a tf.function; a LoadedModel, which no argument changes, is given back.
        outputs: names of nodes or tensors ("a", "a:1"), or of the signature's outputs. Default: what the signature
            returns; for a frozen graph what no node reads.
        input_shapes: shapes by input name (tensor, node or signature name), or a list in input order; -1 or None
            for an unknown size. For a frozen graph, naming an optional input makes it one that must be fed.
        constants: values of inputs that always have one, by input name; see `with_constants`. They are inputs of the
            model no more. A list of shapes counts them all the same.
        signature: which signature of a SavedModel. Default: "serving_default", or the only one.
        tags: which graph of a SavedModel that holds several. Default: the one tagged "serve", or the only one.

    Raises:
        ModelError: the model cannot be read, is not sound or not frozen, or does not fit the arguments.
    """
    outputs = [outputs] if isinstance(outputs, str) else outputs
    if isinstance(model, LoadedModel):
        if any(given is not None for given in (outputs, input_shapes, constants, signature, tags)):
            raise ModelError(
                "The model is loaded already.",
                "Give outputs, shapes, constants, signature and tags when loading it.",
            )
        return model
    loaded = _load(model, outputs, input_shapes, signature, tags)
    return loaded if constants is None else with_constants(loaded, constants, input_shapes)


def _load(
    model: Any,
    outputs: Sequence[str] | None,
    input_shapes: InputShapes | None,
    signature: str | None,
    tags: Sequence[str] | None,
) -> LoadedModel:
    if isinstance(model, (str, Path)):
        return _load_path(Path(model), outputs, input_shapes, signature, tags)
    if tags is not None:
        raise ModelError("Tags choose a graph of a SavedModel directory; the model is not a path.")
    if isinstance(model, tf.Graph):
        model = model.as_graph_def()
    if isinstance(model, tf.compat.v1.GraphDef):
        _no_signature(signature, "A GraphDef")
        return load_graph_def(model, "the GraphDef", outputs, input_shapes)
    if keras_model.is_keras(model):
        _no_signature(signature, "A Keras model")
        return keras_model.load_keras(model, keras_model.describe(model), outputs, input_shapes)
    if isinstance(model, tf.types.experimental.ConcreteFunction):
        return load_concrete(
            model, f"function {model.name!r}", outputs=outputs, input_shapes=input_shapes, roots=_bound(model)
        )
    if hasattr(model, "get_concrete_function"):
        source = f"function {getattr(model, '__name__', 'f')!r}"
        return load_concrete(
            concrete(model, source), source, outputs=outputs, input_shapes=input_shapes, roots=_bound(model)
        )
    if hasattr(model, "_trackable_children") or isinstance(getattr(model, "signatures", None), Mapping):
        source = f"the {type(model).__name__} object"
        return saved_model.load_root(model, source, outputs=outputs, input_shapes=input_shapes, signature=signature)
    raise ModelError(f"An object of type {type(model).__name__} is not a model.", f"Give {_KINDS}.")


def _load_path(
    path: Path,
    outputs: Sequence[str] | None,
    input_shapes: InputShapes | None,
    signature: str | None,
    tags: Sequence[str] | None,
) -> LoadedModel:
    if not path.exists():
        raise ModelError(f"There is no file or directory {str(path)!r}.", _neighbours(path))
    if path.is_file() and path.name in ("saved_model.pb", "saved_model.pbtxt"):
        path = path.parent
    if path.is_dir():
        if not any((path / name).exists() for name in ("saved_model.pb", "saved_model.pbtxt", "saved_model.cpb")):
            raise ModelError(f"Directory {str(path)!r} holds no saved_model.pb.", "Give the directory that does.")
        return saved_model.load_directory(
            path, outputs=outputs, input_shapes=input_shapes, signature=signature, tags=tags
        )
    _no_signature(signature, f"File {str(path)!r}")
    if tags is not None:
        raise ModelError(f"Tags choose a graph of a SavedModel directory; {str(path)!r} is a file.")
    try:
        if path.suffix.lower() in keras_model.SUFFIXES:
            return keras_model.load_keras(keras_model.read_keras(path), str(path), outputs, input_shapes)
        return load_graph_def(read_graph_def(path), str(path), outputs, input_shapes)
    except OSError as error:
        raise ModelError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error


def _neighbours(path: Path) -> str:
    parent = path.parent
    return nearest(path.name, (p.name for p in parent.iterdir()), cutoff=0.75) if parent.is_dir() else ""


def _no_signature(signature: str | None, what: str) -> None:
    if signature is not None:
        raise ModelError(f"{what} has no signatures to choose {signature!r} from.", "Leave signature out.")


def _bound(function: Any) -> tuple[Any, ...]:
    # The owners of the resources that a function reads are found from what its Python function refers to: the object
    # that it is a method of, and what it closes over.
    python = getattr(function, "python_function", None)
    cells = getattr(python, "__closure__", None) or ()
    found = [getattr(python, "__self__", None), *(cell.cell_contents for cell in cells if _is_filled(cell))]
    return tuple(item for item in found if hasattr(item, "_trackable_children"))


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # a variable that has no value yet
        return False
