"""Input shapes given by the user: matched to the inputs and written into the placeholders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tfgraft.errors import ModelError, listing, nearest
from tfgraft.graph.view import Shape
from tfgraft.load.model import NamedTensor

GivenShape: TypeAlias = Sequence[int | None]
InputShapes: TypeAlias = Mapping[str, GivenShape | None] | Sequence[GivenShape | None]
"""Shapes by input name, or in the order of the inputs; None leaves an input as it is."""


def given_shape(shape: GivenShape) -> tuple[int, ...]:
    """Return a shape as the user writes it (None or -1 for an unknown size) with -1 for unknown sizes.

    Raises:
        ModelError: a size is neither a number nor None.
    """
    try:
        sizes = tuple(-1 if size is None else int(size) for size in shape)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{shape!r} is not a shape.", "Write sizes as (1, None, None, 3).") from error
    if any(size < -1 for size in sizes):
        raise ModelError(f"{shape!r} is not a shape: sizes are numbers, or -1 or None where not known.")
    return sizes


def match_shapes(
    inputs: Sequence[NamedTensor], given: InputShapes, aliases: Mapping[str, str]
) -> dict[str, tuple[int, ...]]:
    """Return the given shapes by tensor name, each made compatible with what the model says.

    Args:
        inputs: the model's inputs.
        given: shapes by name (tensor, node or signature name) or in the order of the inputs.
        aliases: signature names -> tensor names.

    Raises:
        ModelError: an unknown input, too many shapes, or a shape that contradicts the model's.
    """
    known = {i.name: i for i in inputs}
    if isinstance(given, Mapping):
        names = {match_name("shape", name, inputs, aliases): shape for name, shape in given.items()}
    else:
        if len(given) > len(inputs):
            raise ModelError(
                f"{len(given)} input shapes are given, and the model has {len(inputs)} inputs: {listing(known)}."
            )
        names = {i.name: shape for i, shape in zip(inputs, given, strict=False)}
    return {name: _merge(known[name], given_shape(shape)) for name, shape in names.items() if shape is not None}


def match_name(what: str, name: str, inputs: Sequence[NamedTensor], aliases: Mapping[str, str]) -> str:
    """Return the tensor name of the input that the user calls `name`; `what` is given for it.

    Raises:
        ModelError: there is none; the nearest names are told.
    """
    tensor = aliases.get(name, name)
    for item in inputs:
        if tensor in (item.name, item.node):
            return item.name
    known = [*aliases, *(i.name for i in inputs)]
    raise ModelError(
        f"A {what} is given for {name!r}, which is no input of the model.",
        nearest(name, known) or f"Its inputs are {listing(i.name for i in inputs)}.",
    )


def _merge(tensor: NamedTensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    if tensor.shape is None:
        return shape
    fits = len(tensor.shape) == len(shape) and all(
        a < 0 or b < 0 or a == b for a, b in zip(tensor.shape, shape, strict=True)
    )
    if not fits:
        raise ModelError(f"Shape {list(shape)} does not fit input {tensor}.", "Unknown sizes are written -1.")
    return tuple(a if b < 0 else b for a, b in zip(tensor.shape, shape, strict=True))


def set_shapes(graph_def: Any, inputs: Sequence[NamedTensor], shapes: Mapping[str, Shape]) -> Any:
    """Return a copy of the graph with the shapes written into the placeholders, and stale shape notes removed."""
    changed = type(graph_def)()
    changed.CopyFrom(graph_def)
    by_node = {i.node: shapes[i.name] for i in inputs if shapes.get(i.name) is not None}
    for node in changed.node:
        # Notes of the shapes that earlier tools inferred: they were made for the old input shapes.
        node.attr.pop("_output_shapes", None)
        shape = by_node.get(node.name)
        if shape is not None:
            proto = node.attr["shape"].shape
            proto.Clear()
            for size in shape:
                proto.dim.add(size=size)
    return changed
