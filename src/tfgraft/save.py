"""Writing the result: a frozen `.pb`, or a SavedModel with the signature of the model it was made from."""

from __future__ import annotations

import contextlib
import copy
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context

from tfgraft.errors import SaveError, listing
from tfgraft.function import make_function, tensor_shape
from tfgraft.load.function import DEFAULT_KEY
from tfgraft.load.model import LoadedModel, Signature, signature_keys
from tfgraft.outside import LIMIT, graph_bytes
from tfgraft.quiet import quiet_python

_INSIDE = 1 << 28
"""The largest graph, in bytes, whose weights are part of it in a SavedModel. TensorFlow copies a graph more than twenty
times while it saves, loads and first runs it; variables it does not."""
_MARK = "_tfgraft"
_OTHER = (".pbtxt", ".onnx", ".tflite", ".keras", ".h5", ".hdf5", ".plan", ".engine", ".json", ".zip")


def is_graph_path(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path asks for a frozen GraphDef (`.pb`) and not for a SavedModel directory."""
    return Path(path).suffix == ".pb"


def check_target(path: str | os.PathLike[str], loaded: LoadedModel | None = None) -> None:
    """Check, before long work, that the result can be written to `path`.

    Args:
        path: where to write.
        loaded: the model that the result will be made from, if it is there already.

    Raises:
        SaveError: it is of no known kind, or would replace something that is not a model; or the model is too large for
            it, or has tables or variables and is to be written as a bare graph.
    """
    target = Path(path)
    if loaded is not None and is_graph_path(target):
        _check_size(loaded.graph_def)
        _check_self_contained(loaded, target)
    if target.suffix in _OTHER:
        raise SaveError(
            f"{str(target)!r} cannot be written: the result is a frozen graph or a SavedModel.",
            "Name a file that ends in .pb, or a directory.",
        )
    if is_graph_path(target):
        if target.is_dir():
            raise SaveError(f"{str(target)!r} is a directory.", "Name another file.")
        return
    if target.is_file():
        raise SaveError(
            f"{str(target)!r} is a file, and a SavedModel is a directory.", "Name another, or end it in .pb."
        )
    if target.is_dir() and any(target.iterdir()) and not (target / "saved_model.pb").exists():
        raise SaveError(
            f"Directory {str(target)!r} is not empty and is no SavedModel, so it is not replaced.", "Name another."
        )


def save(
    graph_def: Any, loaded: LoadedModel, path: str | os.PathLike[str], options: Any = None, inside: int = _INSIDE
) -> None:
    """Write a graph made from `loaded`: a frozen GraphDef if the path ends in `.pb`, else a SavedModel directory.

    It is written beside the target and renamed, so that the target is either the whole result or what it was. The
    weights of a large graph are variables of the SavedModel.

    Args:
        graph_def: the graph.
        loaded: the model that it was made from.
        path: where to write.
        options: a `tf.saved_model.SaveOptions`; the namespace of engine nodes is added to those that it allows.
        inside: how large a graph may be, in bytes, whose weights are constants in a SavedModel.

    Raises:
        SaveError: the target is not to be replaced, or a bare graph is asked for and the model is too large for it, or
            has tables or variables.
        OSError: the disk is full, or the place cannot be written.
    """
    check_target(path)
    target = Path(path)
    graph_def = _without_own_marks(graph_def)
    if is_graph_path(target):
        _check_size(graph_def)
        _check_self_contained(loaded, target)
        _replace(target, lambda temporary: _write_graph(graph_def, temporary))
    else:
        with context.eager_mode():  # whether or not the program is one of TensorFlow 1
            _replace(
                target,
                lambda temporary: _write_saved_model(graph_def, loaded, temporary, _with_namespace(options), inside),
            )


def _with_namespace(options: Any) -> Any:
    made = tf.saved_model.SaveOptions() if options is None else copy.copy(options)
    made.namespace_whitelist = [*(made.namespace_whitelist or ()), "TfGraft"]
    return made


def _without_own_marks(graph_def: Any) -> Any:
    # TensorFlow loads no SavedModel whose functions have attributes that it does not know; ours are notes between
    # passes, which the result does not need.
    marked = [f for f in graph_def.library.function if any(key.startswith(_MARK) for key in f.attr)]
    if not marked:
        return graph_def
    clean = type(graph_def)()
    clean.CopyFrom(graph_def)
    for function in clean.library.function:
        for key in [key for key in function.attr if key.startswith(_MARK)]:
            del function.attr[key]
    return clean


def _check_size(graph_def: Any) -> None:
    size = graph_bytes(graph_def, LIMIT)
    if size > LIMIT:
        raise SaveError(
            f"The graph is {size / 2**30:.1f} GiB, and a .pb file holds at most 2 GiB.",
            "Save to a directory: a SavedModel keeps its weights beside the graph.",
        )


def _check_self_contained(loaded: LoadedModel, target: Path) -> None:
    if loaded.is_self_contained:
        return
    what = listing(r.name for r in loaded.resources) or "tables that its initializer fills"
    raise SaveError(
        f"{str(target)!r} would be incomplete: the model needs resources outside its graph ({what}), such as lookup "
        "tables, which a bare .pb cannot hold.",
        "Save to a directory (a SavedModel) instead, or name outputs that do not need them.",
    )


def _write_graph(graph_def: Any, path: Path) -> None:
    path.write_bytes(graph_def.SerializeToString())


def _write_saved_model(graph_def: Any, loaded: LoadedModel, path: Path, options: Any, inside: int) -> None:
    orphans = [r.name for r in loaded.resources if r.owner is None]
    if orphans:
        raise SaveError(
            f"The objects that own the resources {listing(orphans)} are not known, so they cannot be saved.",
            "Give the SavedModel, the tf.Module or the Keras model instead of one function of it.",
        )
    signature = loaded.signature or _made_signature(loaded)
    run = make_function(graph_def, loaded.inputs, loaded.outputs, loaded.resources, limit=inside)
    keys = list(signature.outputs)
    specs = [
        # TensorFlow saves only names that a node could have; those of some TensorFlow 1 models could not.
        tf.TensorSpec(tensor_shape(spec), spec.dtype, name=re.sub(r"[^\w./-]", "_", name))
        for name, spec in zip(signature.inputs, loaded.inputs, strict=True)
    ]

    def serve(*tensors: Any) -> dict[str, Any]:
        return dict(zip(keys, run(*tensors), strict=True))

    module = tf.Module()
    module.weights = list(run.tfgraft_weights)
    module.resources = [r.owner for r in loaded.resources]
    module.initializers = list(loaded.initializers)
    with quiet_python():
        module.serve = tf.function(serve, input_signature=specs, autograph=False)
        tf.saved_model.save(
            module,
            str(path),
            signatures={signature.key: module.serve.get_concrete_function()},
            options=options,
        )


def _made_signature(loaded: LoadedModel) -> Signature:
    return Signature(
        DEFAULT_KEY,
        dict(zip(signature_keys(loaded.input_names), loaded.input_names, strict=True)),
        dict(zip(signature_keys(loaded.output_names), loaded.output_names, strict=True)),
    )


def _replace(target: Path, write: Callable[[Path], None]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with _workplace(target) as place:
        made, old = place / "new", place / "old"
        write(made)
        if target.is_dir():
            # A directory cannot be replaced in one step: the old one is put aside, and back if that fails.
            target.rename(old)
            try:
                made.rename(target)
            except BaseException:
                old.rename(target)
                raise
        else:
            made.replace(target)


@contextlib.contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
