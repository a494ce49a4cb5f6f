"""The arguments of a model's call: given in order or by name, checked before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfgraft.dlpack import view
from tfgraft.errors import FeedError, listing, nearest
from tfgraft.gate import make_gate
from tfgraft.load.model import LoadedModel, NamedTensor, signature_keys
from tfgraft.plugins.protocol import Array, DeviceArray


class Arguments:
    """Turns what callers give into arrays for the inputs of a model, in order: aligned and C-contiguous.

    `inputs` and `outputs` are the names that callers see: those of the signature, else such as would be saved. `slots`
    are the inputs, in order; `gate` knows arrays for them that are right as they are.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        signature = loaded.signature
        self.inputs = tuple(signature.inputs if signature else signature_keys(loaded.input_names))
        self.outputs = tuple(signature.outputs if signature else signature_keys(loaded.output_names))
        self.slots = [Slot(name, spec) for name, spec in zip(self.inputs, loaded.inputs, strict=True)]
        self.gate = make_gate([slot.dtype for slot in self.slots])
        self._count = len(self.slots)
        # Those of signatures come last: where two inputs could be meant, it is the signature's.
        self._index = {spec.name: i for i, spec in enumerate(loaded.inputs)}
        self._index.update({spec.node: i for i, spec in enumerate(loaded.inputs)})
        self._index.update({name: i for i, name in enumerate(self.inputs)})

    def in_order(self, values: Sequence[Any]) -> list[Array]:
        """Return the arrays for values given in the order of the inputs.

        Raises:
            FeedError: there are too many or too few, or one has the wrong type or shape.
        """
        self.check_count(values)
        arrays = [slot.accept(value) for slot, value in zip(self.slots, values, strict=True)]
        if not self.gate.fits(arrays):
            for i, (slot, array) in enumerate(zip(self.slots, arrays, strict=True)):
                if slot.known(array.shape):
                    self.gate.add(i, array.shape)
        return arrays

    def by_name(self, values: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        """Return values given by name, as keywords or as the one mapping in `values`, in the order of the inputs.

        Raises:
            FeedError: an input is missing or unknown, or given twice.
        """
        if not values and len(named) == self._count:
            try:
                return [named[name] for name in self.inputs]
            except KeyError:
                pass  # another of an input's names, or a mistake
        if named and values:
            raise FeedError("Some inputs are given in order and others by name.", "Give all of them in one way.")
        given: Mapping[str, Any] = named or values[0]
        found: dict[int, Any] = {}
        for name, value in given.items():
            i = self._index.get(name)
            if i is None:
                hint = nearest(str(name), self.inputs) or self._all()
                raise FeedError(f"A value is given for {name!r}, which is no input of the model.", hint)
            if i in found:
                raise FeedError(f"Input {self.inputs[i]!r} is given twice, by two of its names.")
            found[i] = value
        missing = [repr(name) for i, name in enumerate(self.inputs) if i not in found]
        if missing:
            raise FeedError(f"No value is given for {listing(missing)}.", self._all())
        return [found[i] for i in range(self._count)]

    def check_count(self, values: Sequence[Any]) -> None:
        """Raise FeedError if there are too many values or too few."""
        if len(values) == self._count:
            return
        if len(values) < self._count:
            missing = listing(map(repr, self.inputs[len(values) :]))
            raise FeedError(f"No value is given for {missing}.", self._all())
        raise FeedError(f"{len(values)} values are given, and the model has {self._count} inputs.", self._all())

    def _all(self) -> str:
        return f"The model's inputs are: {listing(slot.text for slot in self.slots) or 'none'}."


class Slot:
    """One input.

    `dtype` is the type of its elements, None for strings. `known` says which shapes may be asked for no more, besides
    being right.
    """

    __slots__ = ("dtype", "known", "name", "spec", "text")

    def __init__(self, name: str, spec: NamedTensor) -> None:
        self.name = name
        self.spec = spec
        self.dtype = None if spec.dtype == "string" else _numpy_type(spec)
        self.known: Callable[[tuple[int, ...]], bool] = lambda shape: True
        self.text = str(NamedTensor(name, spec.dtype, spec.shape))

    def accept(self, value: Any) -> Array:
        """Return a value as an array that fits: aligned and C-contiguous.

        Raises:
            FeedError: it has the wrong type or shape.
        """
        array = self._typed(value)
        self._check_shape(array.shape)
        if array.flags.c_contiguous and array.flags.aligned:
            return array
        # Keeps arrays of rank 0 as they are, where np.ascontiguousarray does not.
        return np.require(array, requirements=("C", "A"))

    def borrow(self, value: Any) -> tuple[Any, DeviceArray]:
        """Return a DLPack capsule of a value in a GPU's memory, and the tensor in it, which lives as the capsule does.

        Raises:
            FeedError: its library does not give it away, it has the wrong type or shape, or it is not C-contiguous.
        """
        try:
            capsule = value.__dlpack__()
            array = view(capsule)
        except Exception as error:  # libraries have exceptions of their own
            raise FeedError(f"The value given for input {self.text} cannot be taken: {error}.") from error
        if array.dtype != self.dtype:
            raise FeedError(f"Input {self.text} is given a value of type {array.dtype}.")
        self._check_shape(array.shape)
        return capsule, array

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        declared = self.spec.shape
        if declared is not None and not (
            len(declared) == len(shape) and all(d < 0 or d == s for d, s in zip(declared, shape, strict=True))
        ):
            raise FeedError(f"Input {self.text} is given a value of shape {list(shape)}.")

    def _typed(self, value: Any) -> Array:
        array = self._array(value)
        if array.dtype == self.dtype:
            return array
        if self.dtype is None and array.dtype.kind in "USO":
            return array.astype(object)
        plain = not hasattr(value, "dtype")  # numbers and lists have no type of their own
        if self.dtype is None or not plain or not np.can_cast(array.dtype, self.dtype, "same_kind"):
            raise FeedError(f"Input {self.text} is given a value of type {array.dtype}.", self._advice(array))
        return array.astype(self.dtype)

    def _advice(self, array: Array) -> str:
        return (
            "" if self.dtype is None or array.dtype.kind in "USO" else f"Convert it with astype({self.spec.dtype!r})."
        )

    def _array(self, value: Any) -> Array:
        if isinstance(value, np.ndarray):
            return np.asarray(value)
        try:
            if hasattr(value, "__dlpack__"):
                try:
                    return np.from_dlpack(value)
                except Exception:  # a type that NumPy has no name for in DLPack; the array may come in another way
                    return np.asarray(value)
            return np.asarray(value)
        except Exception as error:  # libraries have exceptions of their own for memory that is on a device
            raise FeedError(
                f"The value given for input {self.text}, a {type(value).__name__}, cannot be read as an array in host "
                f"memory: {error}"
            ) from error


def _numpy_type(spec: NamedTensor) -> np.dtype[Any]:
    import tensorflow as tf

    return np.dtype(tf.as_dtype(spec.dtype).as_numpy_dtype)
