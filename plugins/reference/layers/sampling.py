"""Interpolation: resize and grid_sample."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from tfgraft.plugins.reference.layers.base import LayerFunction, along, dims, optional, wide
from tfgraft.plugins.reference.network import Array, Layer

_ROUND: dict[str, Callable[[Array], Array]] = {
    "HALF_UP": lambda x: np.floor(x + 0.5),
    "HALF_DOWN": lambda x: np.ceil(x - 0.5),
    "FLOOR": np.floor,
    "CEIL": np.ceil,
}
_GRID_CUBIC = -0.75


def resize(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Resize along every axis whose size changes, one axis after the other."""
    x = inputs[0]
    attrs = layer.attrs
    if optional(inputs, 1) is not None or attrs["shape"] is not None:
        wanted: list[float] = list(dims(layer, inputs, 1, "shape"))
    else:
        wanted = [n * float(np.float32(s)) for n, s in zip(x.shape, attrs["scales"], strict=True)]
    value = wide(x)
    for axis, (size, length) in enumerate(zip(wanted, x.shape, strict=True)):
        if size != length:
            value = _interpolate(layer, value, axis, _places(layer, size, length))
    return [value.astype(x.dtype, copy=False)]


def _places(layer: Layer, size: float, length: int) -> Array:
    """Return where along an axis of a given length each new element lies.

    `size` is the new length, not yet rounded down where it comes of a scale: places follow from it, as in ONNX.
    """
    at = np.arange(int(np.float32(size)), dtype=np.float64)
    if layer.attrs["selector_for_single_pixel"] == "UPPER" and at.size == 1:
        return np.zeros(1)
    transformation = layer.attrs["coordinate_transformation"]
    if transformation == "ALIGN_CORNERS":
        return at * ((length - 1) / (size - 1)) if size > 1 else at
    if transformation == "ASYMMETRIC":
        return at * (length / size)
    return (at + 0.5) * (length / size) - 0.5


def _interpolate(layer: Layer, x: Array, axis: int, places: Array) -> Array:
    length = x.shape[axis]
    mode = layer.attrs["resize_mode"]
    if mode == "NEAREST":
        # Float error must not decide between two neighbours, as in 1.4999999 for 1.5.
        index = _ROUND[layer.attrs["nearest_rounding"]](np.round(places, 6)).astype(np.int64)
        return x.take(np.clip(index, 0, length - 1), axis)
    if mode == "LINEAR":
        places = np.clip(places, 0, length - 1)
    index, weights = _taps(mode, places, layer.attrs["cubic_coeff"])
    if mode == "CUBIC" and layer.attrs["exclude_outside"]:
        weights = np.where((index >= 0) & (index < length), weights, 0)
        weights = weights / weights.sum(0)
    index = np.clip(index, 0, length - 1)
    weights = weights.astype(x.dtype)
    parts = (x.take(i, axis) * along(w, axis, x.ndim) for i, w in zip(index, weights, strict=True))
    return sum(parts, start=np.zeros((), x.dtype))


def _taps(mode: str, places: Array, coefficient: float) -> tuple[Array, Array]:
    """Return the indices and the weights of the elements around each place, stacked along a new first axis."""
    base = np.floor(places)
    part = places - base
    index = base.astype(np.int64)
    if mode == "NEAREST":
        return np.rint(places).astype(np.int64)[None], np.ones((1, *places.shape))
    if mode == "LINEAR":
        return np.stack([index, index + 1]), np.stack([1 - part, part])
    weights = [_cubic(part + 1 - tap, coefficient) for tap in range(4)]
    return np.stack([index - 1 + tap for tap in range(4)]), np.stack(weights)


def _cubic(distance: Array, a: float) -> Array:
    """Return Keys' cubic convolution kernel (IEEE Transactions on Acoustics, Speech and Signal Processing 29, 1981)."""
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def grid_sample(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Sample [N, C, spatial...] at the places that a grid [N, places..., rank] gives, -1 and 1 being the ends.

    The grid's last axis counts the spatial axes from the last to the first.
    """
    source, grid = inputs[0], wide(inputs[1]).astype(np.float64)
    x = wide(source)
    attrs = layer.attrs
    mode, border, aligned = attrs["interpolation_mode"], attrs["sample_mode"], attrs["align_corners"]
    lengths = x.shape[2:]
    axes = []
    for i, length in enumerate(lengths):
        place = grid[..., len(lengths) - 1 - i]
        place = (place + 1) / 2 * (length - 1) if aligned else ((place + 1) * length - 1) / 2
        if mode != "CUBIC":
            place = _inside(place, length, border, aligned)
        index, weights = _taps(mode, place, _GRID_CUBIC)
        if border == "FILL":
            weights = np.where((index >= 0) & (index < length), weights, 0)
        elif mode == "CUBIC":
            index = np.rint(_inside(index.astype(np.float64), length, border, aligned)).astype(np.int64)
        axes.append((np.clip(index, 0, length - 1), weights))
    batch = np.arange(x.shape[0]).reshape(-1, *[1] * len(lengths))
    channels_last = np.moveaxis(x, 1, -1)
    value = np.zeros((*grid.shape[:-1], x.shape[1]), np.float64)
    for taps in itertools.product(*(range(len(index)) for index, _ in axes)):
        corner = (batch, *(index[t] for (index, _), t in zip(axes, taps, strict=True)))
        picked = channels_last[corner]
        weight = np.prod([weights[t] for (_, weights), t in zip(axes, taps, strict=True)], axis=0)
        value += picked * weight[..., None]
    return [np.moveaxis(value, -1, 1).astype(source.dtype)]


def _inside(place: Array, length: int, border: str, aligned: bool) -> Array:
    """Bring places back onto an axis by clamping or reflecting them."""
    if border == "CLAMP":
        return np.clip(place, 0, length - 1)
    if border == "REFLECT":
        low, span = (0.0, float(length - 1)) if aligned else (-0.5, float(length))
        if span == 0:
            return np.zeros_like(place)
        offset = np.abs(place - low) % (2 * span)
        return np.clip(low + np.where(offset > span, 2 * span - offset, offset), 0, length - 1)
    return place


TABLE: dict[str, LayerFunction] = {"resize": resize, "grid_sample": grid_sample}
