"""Values to feed to a model: read from the user's arrays, or made up from the inputs' shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.errors import FeedError, listing, nearest
from tfgraft.load.model import LoadedModel, NamedTensor

Array = NDArray[Any]

_SIDE = 224
_CHANNELS = (1, 3, 4)


def read_feeds(path: str | Path) -> dict[str, Array]:
    """Read arrays by input name from an `.npz` file.

    Raises:
        FeedError: there is no such file, or it is no `.npz` file of plain arrays.
    """
    with open_npz(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


@contextmanager
def open_npz(path: str | Path) -> Iterator[Any]:
    """Open an `.npz` file; it is read as its arrays are.

    Raises:
        FeedError: (until it is closed) there is no such file, or it is no `.npz` file of plain arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except FileNotFoundError as error:
        raise FeedError(f"There is no file {str(path)!r}.") from error
    except Exception as error:  # zipfile, numpy and the file system fail in many ways
        raise FeedError(
            f"{str(path)!r} cannot be read as an .npz file of arrays: {error}.",
            "Write it with np.savez(path, **{'x:0': array}); strings as arrays of str, not of objects.",
        ) from error


def synthetic_feeds(loaded: LoadedModel, seed: int = 0) -> dict[str, Array]:
    """Make up values for every input, by tensor name.

    Unknown sizes are taken as 1, but those of height and width in a 4-D input with 1, 3 or 4 channels last as 224.
    Floats are uniform in [0, 1), 8-bit integers uniform in their range from 0, other integers 0 or 1, strings "text".

    Raises:
        FeedError: the rank of an input is not known, or values of its type cannot be made up.
    """
    random = np.random.default_rng(seed)
    return {spec.name: _synthetic(spec, random) for spec in loaded.inputs}


def made_up_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return a shape whose unknown (negative) sizes are those that values are made up with; see `synthetic_feeds`."""
    is_image = len(shape) == 4 and shape[3] in _CHANNELS
    return tuple(d if d >= 0 else _SIDE if is_image and i in (1, 2) else 1 for i, d in enumerate(shape))


def _synthetic(spec: NamedTensor, random: np.random.Generator) -> Array:
    if spec.shape is None:
        raise FeedError(
            f"No values can be made up for input {spec.name!r}: its rank is not known.",
            "Give values (--input feeds.npz) or its shape (--input-shape).",
        )
    shape = made_up_shape(spec.shape)
    if spec.dtype == "string":
        return np.full(shape, b"text", dtype=object)
    if spec.dtype == "bool":
        return random.integers(0, 2, shape).astype(bool)
    if spec.dtype in ("uint8", "int8"):
        return random.integers(0, np.iinfo(spec.dtype).max + 1, shape).astype(spec.dtype)
    dtype = _numpy_type(spec)
    if dtype.kind in "iu":
        return random.integers(0, 2, shape).astype(dtype)
    return random.random(shape).astype(dtype)


def _numpy_type(spec: NamedTensor) -> np.dtype[Any]:
    import tensorflow as tf

    try:
        dtype = np.dtype(tf.as_dtype(spec.dtype).as_numpy_dtype)
    except TypeError as error:
        raise FeedError(f"Input {spec.name!r} has type {spec.dtype}, which cannot be fed.") from error
    return dtype


def match_feeds(loaded: LoadedModel, given: Mapping[str, Any]) -> tuple[tuple[NamedTensor, ...], tuple[Array, ...]]:
    """Return what is fed, and the values with the types that the inputs have.

    Args:
        loaded: the model.
        given: arrays by tensor name, node name or signature name; optional inputs may be among them.

    Raises:
        FeedError: an input is missing or unknown, or a value does not fit.
    """
    inputs = (*loaded.inputs, *loaded.optional_inputs)
    aliases = dict(loaded.signature.inputs) if loaded.signature else {}
    names = {**aliases, **{i.node: i.name for i in inputs}, **{i.name: i.name for i in inputs}}
    unknown = [name for name in given if name not in names]
    if unknown:
        raise FeedError(
            f"A value is given for {unknown[0]!r}, which is no input of the model.",
            nearest(unknown[0], names) or _example(inputs),
        )
    values = {names[name]: value for name, value in given.items()}
    missing = [name for name in loaded.input_names if name not in values]
    if missing:
        raise FeedError(f"No value is given for {listing(map(repr, missing))}.", _example(inputs))
    fed = tuple(spec for spec in inputs if spec.name in values)
    return fed, tuple(_fit(spec, np.asarray(values[spec.name])) for spec in fed)


def _example(inputs: Sequence[NamedTensor]) -> str:
    return f"The model's inputs are: {listing(str(i) for i in inputs)}."


def _fit(spec: NamedTensor, value: Array) -> Array:
    if spec.dtype == "string":
        if value.dtype.kind not in "USO":
            raise FeedError(f"Input {spec.name!r} is a string, and the value given is {value.dtype}.")
        value = value.astype(object)
    else:
        dtype = _numpy_type(spec)
        if value.dtype != dtype:
            if value.dtype.kind in "OUS" or not np.can_cast(value.dtype, dtype, "same_kind"):
                raise FeedError(f"Input {spec.name!r} is {spec.dtype}, and the value given is {value.dtype}.")
            value = value.astype(dtype)
    if spec.shape is not None:
        fits = len(spec.shape) == value.ndim and all(
            want in (-1, have) for want, have in zip(spec.shape, value.shape, strict=True)
        )
        if not fits:
            raise FeedError(f"The value given for {spec} has shape {list(value.shape)}.")
    return np.ascontiguousarray(value) if value.ndim else value
