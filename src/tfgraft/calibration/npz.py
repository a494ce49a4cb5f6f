"""Samples of an `.npz` file, cut into feeds: the file is read as they are taken, and may be larger than memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.errors import FeedError
from tfgraft.feeds import open_npz
from tfgraft.load.model import NamedTensor

Array = NDArray[Any]
BATCH = 8
"""Into how many samples arrays are cut where the model takes any number."""


@dataclass(frozen=True)
class NpzArray:
    """An array in an `.npz` file, of which only the header has been read."""

    path: str
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_column: bool

    def whole(self) -> Array:
        """Return the array."""
        with open_npz(self.path) as arrays:
            array: Array = arrays[self.name]
            return array

    def parts(self, rows: int) -> Iterator[Array]:
        """Yield parts of so many rows, the last one of what is left; only one at a time is in memory."""
        if self.by_column:  # in the file rows are not one after the other
            array = self.whole()
            yield from (array[start : start + rows] for start in range(0, len(array), rows))
            return
        size = self.dtype.itemsize * math.prod(self.shape[1:])
        with open_npz(self.path) as arrays, arrays.zip.open(f"{self.name}.npy") as stream:
            _header(stream)
            for start in range(0, self.shape[0], rows):
                count = min(rows, self.shape[0] - start)
                data = stream.read(count * size)
                if len(data) != count * size:
                    raise EOFError(f"array {self.name!r} ends after {start} of {self.shape[0]} rows")
                yield np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])


@dataclass(frozen=True)
class Batches:
    """The feeds of an `.npz` file; can be iterated more than once.

    Args:
        arrays: what there is, by the names in the file.
        cut: how many rows of each array go into a feed; the others go into each as they are.
        count: how many feeds there are.
    """

    arrays: Mapping[str, NpzArray]
    cut: Mapping[str, int]
    count: int

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Mapping[str, Array]]:
        whole = {name: array.whole() for name, array in self.arrays.items() if name not in self.cut}
        parts = {name: self.arrays[name].parts(rows) for name, rows in self.cut.items()}
        for _ in range(self.count):
            yield {**whole, **{name: next(rows) for name, rows in parts.items()}}


def batches(path: str, inputs: Mapping[str, NamedTensor]) -> Batches:
    """Return the feeds of an `.npz` file.

    Arrays that fit the inputs are one feed, if the model's batch is fixed or they have at most `BATCH` rows. Else
    their rows are samples, cut into batches of the model's size, or of `BATCH`. Rows at the end that do not fill a
    batch of a fixed size are left out: filling it up would distort what is observed. Inputs of a fixed shape, whose
    arrays fit, are the same in each feed.

    Args:
        path: the file.
        inputs: the model's inputs, by all names that they may have in the file.

    Raises:
        FeedError: it cannot be read, or has less than one batch.
    """
    arrays = _arrays(path)
    known = {name: inputs[name] for name in arrays if name in inputs and inputs[name].shape and arrays[name].shape}
    one = Batches(arrays, {}, 1)
    fixed = any((spec.shape or (-1,))[0] >= 0 for spec in known.values())
    if all(_fits(spec, arrays[name].shape) for name, spec in known.items()) and (
        fixed or all(arrays[name].shape[0] <= BATCH for name in known)
    ):
        return one
    cut = {name: spec for name, spec in known.items() if _are_samples(spec, arrays[name].shape)}
    lengths = {arrays[name].shape[0] for name in cut}
    sizes = {spec.shape[0] for spec in cut.values() if spec.shape and spec.shape[0] >= 0}
    if len(lengths) != 1 or len(sizes) > 1:
        return one  # what is wrong with it is told when it is fed
    (total,), size = lengths, next(iter(sizes), 0)
    if total < size:
        raise FeedError(f"{path!r} has {total} samples, and the model takes {size} at a time.", "Give more of them.")
    rows = size or BATCH
    return Batches(arrays, dict.fromkeys(cut, rows), total // rows if size else -(-total // rows))


def _arrays(path: str) -> dict[str, NpzArray]:
    found = {}
    with open_npz(path) as arrays:
        for name in arrays.files:
            with arrays.zip.open(f"{name}.npy") as stream:
                shape, by_column, dtype = _header(stream)
            found[name] = NpzArray(path, name, shape, dtype, by_column)
    return found


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_column, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError("it has Python objects")
    return shape, by_column, dtype


def _fits(spec: NamedTensor, shape: tuple[int, ...]) -> bool:
    return (
        spec.shape is not None
        and len(spec.shape) == len(shape)
        and all(want in (-1, have) for want, have in zip(spec.shape, shape, strict=True))
    )


def _are_samples(spec: NamedTensor, shape: tuple[int, ...]) -> bool:
    """Tell whether an array has more or fewer rows than an input, or those of an input that takes any number."""
    if spec.shape is None or spec.shape[0] == shape[0]:
        return False
    return _fits(NamedTensor(spec.name, spec.dtype, (-1, *spec.shape[1:])), shape)
