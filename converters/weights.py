"""Weights as an engine wants them, made by numpy when an engine is loaded: as integers, transposed, reshaped."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Quantization:
    """How a float32 weight becomes integers: `clip(round(weight * up), least, most) + zero`.

    Args:
        dtype: "int8" or "uint8".
        up: one factor, or one for each element of dimension `axis`.
        axis: of the weight as TensorFlow has it; None: one factor for all.
        zero: the integer that stands for zero.
        least, most: the least and the largest integer, counted from `zero`.
        even: whether what is halfway between two integers goes to the even one, or else to the larger one.
    """

    dtype: str
    up: tuple[float, ...]
    axis: int | None
    zero: int
    least: int
    most: int
    even: bool

    def apply(self, weight: Array) -> Array:
        """Return the integers of a weight, in its own order."""
        shape = [-1 if d == self.axis else 1 for d in range(weight.ndim)]
        scaled = weight * np.asarray(self.up, np.float32).reshape(shape)
        if self.even:
            np.rint(scaled, out=scaled)
        else:
            np.floor(np.add(scaled, np.float32(0.5), out=scaled), out=scaled)
        np.clip(scaled, self.least, self.most, out=scaled)
        if self.zero:
            scaled += np.float32(self.zero)
        return scaled.astype(self.dtype)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data; the factors of a large model are many, and are packed."""
        packed = base64.b64encode(np.asarray(self.up, "<f4").tobytes()).decode()
        return {**asdict(self), "up": packed}

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Quantization:
        """Return what `to_json` was called on."""
        up = np.frombuffer(base64.b64decode(data["up"]), "<f4")
        return cls(**{**data, "up": tuple(up.tolist())})


def lay_out(
    weight: Array, perm: Sequence[int] | None, shape: Sequence[int] | None, quantization: Quantization | None = None
) -> Array:
    """Return `weight`, quantized, transposed by `perm` and reshaped to `shape`, C-contiguous; None leaves a step out.

    What needs no step is returned as it is.
    """
    # Integers first: transposing them moves a quarter of the bytes.
    value = weight if quantization is None else quantization.apply(weight)
    value = value if perm is None else value.transpose(perm)
    return np.ascontiguousarray(value).reshape(value.shape if shape is None else shape)


def steps_after(
    dims: Sequence[int], axis: int, perm: Sequence[int] | None, shape: Sequence[int] | None
) -> tuple[int, Array]:
    """Return the axis that a weight's `axis` is on after `lay_out`, and which step each place on it has.

    Raises:
        ValueError: reshaping spreads the steps over several axes.
    """
    order = tuple(range(len(dims))) if perm is None else tuple(perm)
    if shape is None:
        return order.index(axis), np.arange(dims[axis])
    places = np.arange(dims[axis]).reshape([-1 if d == axis else 1 for d in range(len(dims))])
    places = np.broadcast_to(places, tuple(dims)).transpose(order).reshape(shape)
    for k in range(len(shape)):
        rows = np.moveaxis(places, k, 0).reshape(shape[k], -1)
        if np.all(rows == rows[:, :1]):
            return k, rows[:, 0]
    raise ValueError(f"the steps along axis {axis} of {tuple(dims)} are not along one axis of {tuple(shape)}")
