"""Loading a ConcreteFunction, and what leads to one: a tf.function, a tf.Module with signatures."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import convert_to_constants, op_def_registry

from tfgraft.errors import ModelError, listing, nearest
from tfgraft.load.check import check_frozen, check_graph
from tfgraft.load.ends import resolve_outputs
from tfgraft.load.frozen import describe_outputs, first_line
from tfgraft.load.model import LoadedModel, NamedTensor, Resource, Signature, signature_keys
from tfgraft.load.mutated import written_resources
from tfgraft.load.rename import rename_functions
from tfgraft.load.shapes import InputShapes, match_shapes, set_shapes
from tfgraft.quiet import quiet_python

DEFAULT_KEY = "serving_default"
_OF_ONE_RUN = ("TensorArray", "Stack")
"""Ops whose resources live as long as one run."""


def choose(keys: Iterable[str], wanted: str | None, source: str) -> str:
    """Return the key of the signature to load: the one wanted, else serving_default, else the only one.

    Raises:
        ModelError: it does not exist, or the choice is the user's; the message lists the keys.
    """
    names = sorted(key for key in keys if not key.startswith("__saved_model"))
    if wanted is not None:
        if wanted in names:
            return wanted
        raise ModelError(
            f"{source} has no signature {wanted!r}; it has {listing(map(repr, names)) or 'none'}.",
            nearest(wanted, names),
        )
    if DEFAULT_KEY in names:
        return DEFAULT_KEY
    if len(names) == 1:
        return names[0]
    if not names:
        raise ModelError(
            f"{source} has no signatures.",
            "Save it with tf.saved_model.save(model, path, signatures=function), or give the function itself.",
        )
    raise ModelError(
        f"{source} has several signatures: {listing(map(repr, names))}.",
        "Choose one with signature= (--signature).",
    )


def concrete(function: Any, source: str) -> Any:
    """Return the ConcreteFunction of a tf.function with an input signature.

    Raises:
        ModelError: it has none.
    """
    try:
        return function.get_concrete_function()
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{source} cannot be traced without arguments: {first_line(error)}",
            "Give it an input_signature, or give fn.get_concrete_function(tf.TensorSpec(...)).",
        ) from error


def load_concrete(
    function: Any,
    source: str,
    *,
    outputs: Sequence[str] | None = None,
    input_shapes: InputShapes | None = None,
    key: str = DEFAULT_KEY,
    names: tuple[Sequence[str] | None, Sequence[str] | None] = (None, None),
    roots: Sequence[Any] = (),
    initializers: Sequence[Any] = (),
) -> LoadedModel:
    """Freeze a ConcreteFunction.

    Args:
        function: the function. Variables that it only reads become constants.
        source: what it is, for messages.
        outputs: other tensors to fetch than those it returns.
        input_shapes: see `tfgraft.load.load`.
        key: the key of the signature.
        names: names for its inputs and outputs that override those the function has.
        roots: objects among whose children the owners of its resources are looked for.
        initializers: see `LoadedModel`; they are left out where the frozen graph has nothing to prepare.

    Raises:
        ModelError: it cannot be frozen, or its arguments do not fit.
    """
    captures = {inner.name: outer for outer, inner in function.graph.captures}
    handles = {name: outer for name, outer in captures.items() if outer.dtype == tf.resource}
    graph_def = _freeze(function, handles.keys(), source)
    index = check_graph(graph_def, source)
    waiting = {f"{node.name}:0" for node in index.placeholders}
    owners = _owners((*roots, *function.graph.variables))
    resources = tuple(
        Resource(name, outer, owners.get(id(outer))) for name, outer in handles.items() if name in waiting
    )
    own = [t for t in function.inputs if t.name not in captures]
    inputs = tuple(NamedTensor(t.name, t.dtype.name, _shape(t)) for t in own)
    gone = [i.name for i in inputs if i.node not in index.nodes]
    if gone:
        raise ModelError(f"Freezing {source} lost its inputs {listing(gone)}.")

    in_names = list(names[0] or _input_names(function, own))
    if input_shapes is not None:
        shapes = match_shapes(inputs, input_shapes, dict(zip(in_names, (i.name for i in inputs), strict=True)))
        graph_def = set_shapes(graph_def, inputs, shapes)
        inputs = tuple(NamedTensor(i.name, i.dtype, shapes.get(i.name, i.shape)) for i in inputs)
    if outputs is not None:
        aliases = dict(zip(_output_names(function), (t.name for t in function.outputs), strict=True))
        fetches = resolve_outputs(index, [aliases.get(name, name) for name in outputs], source)
        made = signature_keys(fetches)
        out_names = [name if name in aliases else key for name, key in zip(outputs, made, strict=True)]
    else:
        fetches = tuple(t.name for t in function.outputs)
        out_names = list(names[1] or _output_names(function))
    used = index.reachable(fetches)
    check_frozen(index, used, source)
    return LoadedModel(
        graph_def,
        inputs,
        describe_outputs(graph_def, fetches, source),
        Signature(
            key,
            dict(zip(in_names, (i.name for i in inputs), strict=True)),
            dict(zip(out_names, fetches, strict=True)),
        ),
        resources=tuple(r for r in resources if r.name.rpartition(":")[0] in used),
        initializers=tuple(initializers) if _makes_resources(graph_def, used) else (),
        source=source,
    )


def _freeze(function: Any, resources: Iterable[str], source: str) -> Any:
    placeholders = {name.rpartition(":")[0] for name in resources}
    keep = written_resources(function.graph.as_graph_def(), placeholders)
    try:
        with quiet_python(), _without_collections(function.graph):
            # TensorFlow's convert_variables_to_constants_v2 without its last step, which replaces the functions of
            # the running program by frozen ones of the same names and so changes the user's own model.
            data = convert_to_constants._FunctionConverterDataInEager(
                func=function,
                lower_control_flow=False,
                aggressive_inlining=True,
                variable_names_denylist=keep,
            )
            graph_def, _ = convert_to_constants._replace_variables_by_constants(converter_data=data)
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        raise ModelError(
            f"{source} cannot be frozen: {first_line(error)}",
            "Does it write variables, or use them before they have values?",
        ) from error
    return rename_functions(graph_def)


def _makes_resources(graph_def: Any, used: set[str]) -> bool:
    """Tell whether the used part of a graph, or a function, makes a table or the like, which has to be filled."""
    nodes = [node for node in graph_def.node if node.name in used]
    nodes += [node for function in graph_def.library.function for node in function.node_def]
    ops = {node.op: op_def_registry.get(node.op) for node in nodes if not node.op.startswith(_OF_ONE_RUN)}
    return any(
        arg.type == types_pb2.DT_RESOURCE or arg.is_ref
        for op in ops.values()
        if op is not None
        for arg in op.output_arg
    )


@contextlib.contextmanager
def _without_collections(graph: Any) -> Iterator[None]:
    # A function pruned out of a TensorFlow 1 graph keeps that graph's collections, and Grappler refuses a graph whose
    # collection of table initializers names nodes that were pruned.
    kept = {key: list(graph.get_collection_ref(key)) for key in graph.get_all_collection_keys()}
    for key in kept:
        graph.clear_collection(key)
    try:
        yield
    finally:
        for key, values in kept.items():
            graph.get_collection_ref(key).extend(values)


def _owners(roots: Sequence[Any]) -> dict[int, Any]:
    owners: dict[int, Any] = {}
    for root in roots:
        for item in tf.train.TrackableView(root).descendants():
            for attribute in ("resource_handle", "handle"):
                handle = getattr(item, attribute, None)
                if isinstance(handle, tf.Tensor):
                    owners.setdefault(id(handle), item)
    return owners


def _shape(tensor: Any) -> tuple[int, ...] | None:
    return None if tensor.shape.rank is None else tuple(-1 if d is None else d for d in tensor.shape)


def _input_names(function: Any, own: Sequence[Any]) -> list[str]:
    nodes = [t.name.rpartition(":")[0] for t in own]
    keywords = [str(k) for k in getattr(function, "_arg_keywords", None) or ()]
    structured = getattr(function, "structured_input_signature", None)
    if structured is not None:
        specs = [s for s in tf.nest.flatten(structured, expand_composites=True) if hasattr(s, "dtype")]
        found = [str(getattr(s, "name", None) or "") for s in specs]
        # Signatures may have names that are no Python names ("the words"): only the keywords have them unchanged.
        if [re.sub(r"\W", "_", k) for k in keywords] == [re.sub(r"\W", "_", f) for f in found]:
            found = keywords
        if len(found) == len(nodes) and all(found) and len(set(found)) == len(found):
            return found
    return keywords if len(keywords) == len(nodes) else nodes


def _output_names(function: Any) -> list[str]:
    structured = function.structured_outputs
    count = len(function.outputs)
    if isinstance(structured, Mapping):
        # tf.nest sorts the keys of mappings when it flattens them.
        keys = [str(key) for key in sorted(structured)]
        if len(keys) == count:
            return keys
    return [f"output_{i}" for i in range(count)]
