"""Feeds: every form in which representative data is given, as one stream of dicts."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.calibration.npz import batches
from tfgraft.errors import FeedError, listing
from tfgraft.feeds import match_feeds
from tfgraft.load.model import LoadedModel, NamedTensor

Array = NDArray[Any]
_FORMS = (
    "Calibration data is an iterable of feeds (each a dict of input name to array, a tuple of arrays in input order, "
    "or an array if there is one input), a function that returns one, a tf.data.Dataset, or an .npz file."
)


@dataclass(frozen=True)
class Feeds:
    """Feeds by tensor name; nothing is held back, so data may be larger than memory.

    It can be iterated as often as the data can. `operator.length_hint` tells how many feeds there are, if the data
    tells.
    """

    data: Any = field(repr=False)
    loaded: LoadedModel = field(repr=False)

    def __iter__(self) -> Iterator[dict[str, Array]]:
        count = 0
        for count, item in enumerate(_items(self.data, self.loaded), 1):
            yield _feed(item, count - 1, self.loaded)
        if not count:
            raise FeedError("There is no calibration data: nothing was given to run the model on.", _FORMS)

    def __length_hint__(self) -> int:
        return 0 if _is_function(self.data) else operator.length_hint(_items(self.data, self.loaded))


def feeds_of(data: Any, loaded: LoadedModel) -> Feeds:
    """Return feeds by tensor name.

    Args:
        data: an iterable of feeds (a dict by tensor, node or signature name, a tuple or list in input order, or the
            array of the only input), a function that returns one, a `tf.data.Dataset` (of which a last component that
            is one too many is taken for a label and left out), or an `.npz` file of arrays by input name: see
            `tfgraft.calibration.npz.batches`.
        loaded: the model.

    Raises:
        FeedError: (while they are iterated) a feed does not fit the model, or there is none at all.
    """
    return Feeds(data, loaded)


def _is_function(data: Any) -> bool:
    return callable(data) and not isinstance(data, Iterable)


def _items(data: Any, loaded: LoadedModel) -> Iterable[Any]:
    if isinstance(data, (str, os.PathLike)):
        path = os.fspath(data)
        if not path.endswith(".npz"):
            raise FeedError(f"{path!r} is no .npz file.", _FORMS)
        return batches(path, _specs(loaded))
    if _is_function(data):
        return _items(data(), loaded)
    if isinstance(data, Mapping):
        raise FeedError("Calibration data is one dict, not a list of feeds.", "Write [feed] for a single feed.")
    if hasattr(data, "__array__"):
        raise FeedError(
            f"Calibration data is a {type(data).__name__}, not a list of feeds.", "Write [array] for a single feed."
        )
    if not isinstance(data, Iterable):
        raise FeedError(f"Calibration data is a {type(data).__name__}.", _FORMS)
    if _is_endless(data):
        raise FeedError("Calibration data is a dataset that never ends.", "Take a few hundred: dataset.take(200).")
    return data


def _is_endless(data: Iterable[Any]) -> bool:
    import tensorflow as tf

    return isinstance(data, tf.data.Dataset) and bool(data.cardinality() == tf.data.INFINITE_CARDINALITY)


def _specs(loaded: LoadedModel) -> dict[str, NamedTensor]:
    """Return the inputs by all their names."""
    inputs = (*loaded.inputs, *loaded.optional_inputs)
    specs = {name: spec for spec in inputs for name in (spec.name, spec.node)}
    aliases = dict(loaded.signature.inputs) if loaded.signature else {}
    return {**{key: specs[name] for key, name in aliases.items() if name in specs}, **specs}


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
        hint = error.hint or ("Give batches, such as dataset.batch(8)." if _is_one_sample(given, loaded) else "")
        raise FeedError(f"Feed {i} of the calibration data does not fit. {error.message}", hint) from error
    except ValueError as error:
        raise FeedError(f"Feed {i} of the calibration data is no array: {error}.", _FORMS) from error
    return {spec.name: array for spec, array in zip(fed, arrays, strict=True)}


def _is_one_sample(given: Mapping[str, Any], loaded: LoadedModel) -> bool:
    specs = _specs(loaded)
    shapes = ((specs[name].shape, np.ndim(value)) for name, value in given.items() if name in specs)
    return any(shape is not None and rank == len(shape) - 1 for shape, rank in shapes)
