"""Inputs of a model that always have one value: placeholders that become constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from tfgraft.errors import ModelError
from tfgraft.load.frozen import describe_outputs, first_line
from tfgraft.load.model import LoadedModel, NamedTensor
from tfgraft.load.shapes import InputShapes, match_name, set_shapes


def with_constants(
    loaded: LoadedModel, constants: Mapping[str, Any], input_shapes: InputShapes | None = None
) -> LoadedModel:
    """Return the model without the inputs named, whose placeholders are constants in its graph.

    Args:
        loaded: the model; it is not changed.
        constants: values by input name (tensor, node or signature name): numbers, booleans, strings, lists of them, or
            arrays. A value is converted to the input's type as a fed one is, where its kind fits: an integer will do
            for a float, not the other way round.
        input_shapes: what the model was loaded with, of which no name may be among the constants.

    Raises:
        ModelError: an unknown input, one that is named twice or is given a shape by name too, or a value whose type or
            shape does not fit.
    """
    if not isinstance(constants, Mapping):
        raise ModelError(
            f"constants is a {type(constants).__name__}, not a mapping.", "Write constants={'training': False}."
        )
    known = (*loaded.inputs, *loaded.optional_inputs)
    inputs = {spec.name: spec for spec in known}
    aliases = loaded.signature.inputs if loaded.signature else {}
    shaped = input_shapes if isinstance(input_shapes, Mapping) else {}
    shapes = {match_name("shape", name, known, aliases): name for name in shaped}
    protos: dict[str, Any] = {}
    for name, value in constants.items():
        _check_needed(loaded, aliases.get(name, name), inputs)
        tensor = match_name("constant", name, known, aliases)
        if tensor in protos:
            raise ModelError(f"Input {tensor!r} is given two constants, the second as {name!r}.", "Name it once.")
        if tensor in shapes:
            raise ModelError(
                f"Input {tensor!r} is given a constant and a shape, the shape as {shapes[tensor]!r}.",
                "A constant has the shape of its value: leave it out of the shapes.",
            )
        protos[tensor] = _proto(inputs[tensor], value)
    if not protos:
        return loaded
    graph_def = set_shapes(loaded.graph_def, (), {})
    write_constants(graph_def, protos)
    signature = loaded.signature
    if signature is not None:
        kept = {name: tensor for name, tensor in signature.inputs.items() if tensor not in protos}
        signature = replace(signature, inputs=kept)
    return replace(
        loaded,
        graph_def=graph_def,
        inputs=tuple(i for i in loaded.inputs if i.name not in protos),
        optional_inputs=tuple(i for i in loaded.optional_inputs if i.name not in protos),
        # The shapes of results may be known only now.
        outputs=describe_outputs(graph_def, loaded.output_names, loaded.source),
        signature=signature,
    )


def _check_needed(loaded: LoadedModel, name: str, inputs: Mapping[str, NamedTensor]) -> None:
    """Say of a node that is there why it is none of the inputs, which its name alone does not tell."""
    node = name.removesuffix(":0")
    if f"{node}:0" in inputs:
        return
    if any(r.name == f"{node}:0" for r in loaded.resources):
        raise ModelError(f"{name!r} is a resource, and no constant can take its place.", "Leave it out.")
    op = next((each.op for each in loaded.graph_def.node if each.name == node), "")
    if op.startswith("Placeholder"):
        raise ModelError(f"A constant is given for {name!r}, which no output needs.", "Leave it out.")
    if op:
        raise ModelError(
            f"A constant is given for {name!r} ({op}), which is no input of the model.",
            "Only inputs can be made constants.",
        )


def write_constants(graph_def: Any, protos: Mapping[str, Any]) -> None:
    """Put constants in the place of nodes of a GraphDef: TensorProtos, by the names of the nodes' first outputs."""
    values = {name.rpartition(":")[0]: proto for name, proto in protos.items()}
    for node in graph_def.node:
        if (proto := values.get(node.name)) is not None:
            node.op = "Const"
            del node.input[:]  # a default, and what had to run before the value was there
            node.attr.clear()
            node.attr["dtype"].type = proto.dtype
            node.attr["value"].tensor.CopyFrom(proto)


def _proto(spec: NamedTensor, value: Any) -> Any:
    """Return a value as a TensorProto of the input's type."""
    wanted = tf.as_dtype(spec.dtype)
    if not (wanted.is_bool or wanted.is_integer or wanted.is_floating or wanted.is_complex or wanted == tf.string):
        raise ModelError(f"Input {spec.name!r} is a {spec.dtype}, and no constant can take its place.", "Leave it out.")
    try:
        # Strings are not made arrays, in which they would lose the zero bytes at their ends.
        proto = tf.make_tensor_proto(value if wanted == tf.string else _converted(value, wanted), wanted)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ModelError(
            f"The constant for input {spec} does not fit its type: {first_line(error)}.",
            "Give a value of that type: a number, a boolean, a string, lists of them, or an array.",
        ) from error
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if spec.shape is not None and (
        len(shape) != len(spec.shape) or any(w not in (-1, h) for w, h in zip(spec.shape, shape, strict=True))
    ):
        raise ModelError(f"The constant for input {spec} has shape {shape}.", "Give it the shape of the input.")
    return proto


def _converted(value: Any, wanted: Any) -> Any:
    """Return a value as an array of the type `wanted`; TypeError if that would change what it says."""
    array = np.asarray(value)
    if array.dtype == object:
        raise TypeError(f"{value!r} is no number")
    given = tf.as_dtype(array.dtype)
    if array.size and _kind(given) > _kind(wanted):
        raise TypeError(f"{value!r} is {given.name}")
    with np.errstate(over="ignore", invalid="ignore"):  # found below
        made = array.astype(wanted.as_numpy_dtype)
    if wanted.is_integer and bool((made.astype(array.dtype) != array).any()):
        raise TypeError(f"{value!r} is out of its range")
    if wanted.is_floating and bool((np.isinf(made) & ~np.isinf(array)).any()):
        raise TypeError(f"{value!r} is out of its range")
    return made


def _kind(dtype: Any) -> int:
    """Return where a type stands among booleans, integers, floats, complex numbers and all others."""
    return [dtype.is_bool, dtype.is_integer, dtype.is_floating, dtype.is_complex, True].index(True)
