"""Feeds: every form in which representative data is given, as one stream of dicts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.errors import FeedError, listing
from tfgraft.feeds import match_feeds, read_feeds
from tfgraft.load.model import LoadedModel, NamedTensor

Array = NDArray[Any]
BATCH = 8
"""Into how many samples the arrays of an `.npz` file are cut where the model takes any number."""
_FORMS = (
    "Calibration data is an iterable of feeds (each a dict of input name to array, a tuple of arrays in input order, "
    "or an array if there is one input), a function that returns one, a tf.data.Dataset, or an .npz file."
)


def feeds_of(data: Any, loaded: LoadedModel) -> Iterator[dict[str, Array]]:
    """Yield feeds by tensor name; nothing is held back, so data may be larger than memory.

    Args:
        data: an iterable of feeds (a dict by tensor, node or signature name, a tuple or list in input order, or the
            array of the only input), a function that returns one, a `tf.data.Dataset` (of which a last component that
            is one too many is taken for a label and left out), or an `.npz` file of arrays by input name: one feed if
            they fit, else samples along the first dimension, cut into batches of the model's size, or of `BATCH`. A
            rest that does not fill a model's fixed batch is left out.
        loaded: the model.

    Raises:
        FeedError: a feed does not fit the model, or there is none at all. It comes when that feed's turn comes.
    """
    count = 0
    for count, item in enumerate(_items(data, loaded), 1):
        yield _feed(item, count - 1, loaded)
    if not count:
        raise FeedError("There is no calibration data: nothing was given to run the model on.", _FORMS)


def _items(data: Any, loaded: LoadedModel) -> Iterable[Any]:
    if isinstance(data, (str, os.PathLike)):
        path = os.fspath(data)
        if not path.endswith(".npz"):
            raise FeedError(f"{path!r} is no .npz file.", _FORMS)
        return _batches(read_feeds(path), loaded)
    if callable(data) and not isinstance(data, Iterable):
        return _items(data(), loaded)
    if isinstance(data, Mapping):
        raise FeedError("Calibration data is one dict, not a list of feeds.", "Write [feed] for a single feed.")
    if isinstance(data, np.ndarray) or not isinstance(data, Iterable):
        raise FeedError(f"Calibration data is a {type(data).__name__}.", _FORMS)
    return data


def _feed(item: Any, i: int, loaded: LoadedModel) -> dict[str, Array]:
    names = loaded.input_names
    given: Mapping[str, Any]
    if isinstance(item, Mapping):
        given = item
    elif isinstance(item, (tuple, list)):
        values = list(item)
        if 1 <= len(values) <= 2 and isinstance(values[0], (Mapping, tuple)):  # (features, label)
            return _feed(values[0], i, loaded)
        if len(values) == len(names) + 1:
            values.pop()
        if len(values) != len(names):
            raise FeedError(
                f"Feed {i} of the calibration data has {len(item)} values, and the model has {len(names)} inputs: "
                f"{listing(names)}."
            )
        given = dict(zip(names, values, strict=True))
    elif len(names) == 1:
        given = {names[0]: item}
    else:
        raise FeedError(
            f"Feed {i} of the calibration data is a {type(item).__name__}, and the model has {len(names)} inputs: "
            f"{listing(names)}.",
            "Give dicts of input name to array, or tuples.",
        )
    try:
        fed, arrays = match_feeds(loaded, given)
    except FeedError as error:
        raise FeedError(f"Feed {i} of the calibration data does not fit. {error.message}", error.hint) from error
    except ValueError as error:
        raise FeedError(f"Feed {i} of the calibration data is no array: {error}.", _FORMS) from error
    return {spec.name: array for spec, array in zip(fed, arrays, strict=True)}


def _batches(arrays: Mapping[str, Array], loaded: LoadedModel) -> Iterator[Mapping[str, Array]]:
    """Cut arrays of many samples into feeds."""
    specs = {alias: spec for spec in (*loaded.inputs, *loaded.optional_inputs) for alias in (spec.name, spec.node)}
    if loaded.signature:
        specs.update({key: specs[name] for key, name in loaded.signature.inputs.items() if name in specs})
    known = {name: specs[name] for name in arrays if name in specs}
    sizes = {spec.shape[0] for spec in known.values() if spec.shape}
    size = max((s for s in sizes if s > 0), default=0)
    if not size and all(
        _fits(spec, arrays[name]) and len(arrays[name]) <= BATCH for name, spec in known.items() if spec.shape
    ):
        yield arrays
        return
    if all(_fits(spec, arrays[name]) for name, spec in known.items()) and size:
        yield arrays
        return
    lengths = {len(arrays[name]) for name, spec in known.items() if spec.shape}
    if len(lengths) != 1:
        yield arrays  # whatever is wrong is told of the feed as a whole
        return
    (total,) = lengths
    step = size or BATCH
    for start in range(0, total - size + 1 if size else total, step):
        yield {
            name: array[start : start + step] if name in known and known[name].shape else array
            for name, array in arrays.items()
        }


def _fits(spec: NamedTensor, array: Array) -> bool:
    if spec.shape is None:
        return True
    return len(spec.shape) == array.ndim and all(
        want in (-1, have) for want, have in zip(spec.shape, array.shape, strict=True)
    )
