"""Loading a SavedModel: from a directory, or one that is loaded already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.python.eager import context
from tensorflow.python.saved_model import loader_impl

from tfgraft.errors import ModelError, listing
from tfgraft.load.check import check_ops
from tfgraft.load.frozen import first_line
from tfgraft.load.function import DEFAULT_KEY, choose, concrete, load_concrete
from tfgraft.load.model import LoadedModel
from tfgraft.load.shapes import InputShapes
from tfgraft.quiet import quiet_python


def load_directory(
    path: Path,
    *,
    outputs: Sequence[str] | None,
    input_shapes: InputShapes | None,
    signature: str | None,
    tags: Sequence[str] | None,
) -> LoadedModel:
    """Load one signature of a SavedModel directory.

    Raises:
        ModelError: it is no SavedModel, is damaged, or has no such signature or tags.
    """
    source = str(path)
    meta = _meta_graph(path, tags)
    check_ops(meta.graph_def, source)
    key = choose(meta.signature_def, signature, source)
    try:
        with quiet_python(), context.eager_mode():
            root = tf.saved_model.load(source, tags=sorted(meta.meta_info_def.tags))
    except (OSError, ValueError, KeyError, RuntimeError, tf.errors.OpError) as error:
        raise ModelError(f"TensorFlow cannot load {source}: {first_line(error)}") from error
    with context.eager_mode():  # whether or not the program is one of TensorFlow 1
        return load_root(
            root,
            source,
            outputs=outputs,
            input_shapes=input_shapes,
            signature=key,
            is_v1=not meta.HasField("object_graph_def"),
        )


def load_root(
    root: Any,
    source: str,
    *,
    outputs: Sequence[str] | None,
    input_shapes: InputShapes | None,
    signature: str | None,
    is_v1: bool = False,
) -> LoadedModel:
    """Load one signature of a loaded SavedModel, or the `__call__` of a tf.Module without signatures.

    Raises:
        ModelError: there is no such signature, or nothing to call.
    """
    signatures = getattr(root, "signatures", None)
    if isinstance(signatures, Mapping) and (signatures or signature is not None):
        key = choose(signatures, signature, source)
        function = signatures[key]
    else:
        key = signature or DEFAULT_KEY
        # On the instance, where the tf.function is bound to it; loaded SavedModels have it there only.
        call = root.__call__ if callable(root) else None
        if not hasattr(call, "get_concrete_function"):
            raise ModelError(
                f"{source} has no signatures, and its __call__ is no tf.function.",
                "Give one of its functions: module.f.get_concrete_function(tf.TensorSpec(...)).",
            )
        function = concrete(call, f"__call__ of {source}")
    initializer = getattr(root, "initializer", None)
    return load_concrete(
        function,
        source,
        outputs=outputs,
        input_shapes=input_shapes,
        key=key,
        roots=(root,),
        # A TensorFlow 1 model makes its tables by name, inside the graph: without its initializer they are empty. The
        # initializer holds on to all variables of the model, used or not.
        initializers=(initializer, *root.variables) if is_v1 and initializer is not None else (),
    )


def _meta_graph(path: Path, tags: Sequence[str] | None) -> Any:
    try:
        saved_model = loader_impl.parse_saved_model(str(path))
    except (OSError, DecodeError, ValueError) as error:
        raise ModelError(
            f"{path} is not a readable SavedModel: {first_line(error)}",
            "The directory must hold saved_model.pb, with variables/ beside it.",
        ) from error
    graphs = list(saved_model.meta_graphs)
    if not graphs:
        raise ModelError(f"{path} is a SavedModel with no graph in it.", "Was it written to the end?")
    known = listing("{" + ", ".join(sorted(g.meta_info_def.tags)) + "}" for g in graphs)
    if tags is not None:
        found = [g for g in graphs if set(g.meta_info_def.tags) == set(tags)]
        if not found:
            raise ModelError(f"{path} has no graph tagged {{{', '.join(sorted(tags))}}}; it has {known}.")
        return found[0]
    serving = [g for g in graphs if set(g.meta_info_def.tags) == {"serve"}]
    if len(graphs) > 1 and not serving:
        raise ModelError(f"{path} has several graphs, tagged {known}.", "Choose one with tags=.")
    return (serving or graphs)[0]
