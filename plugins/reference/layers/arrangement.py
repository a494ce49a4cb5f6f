"""Layers that move elements and compute nothing: shuffle, slice, padding, concatenation, squeeze, reverse_sequence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfgraft.plugins.reference.layers.base import LayerFunction, dims, optional
from tfgraft.plugins.reference.network import Array, Layer


def shuffle(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Transpose, reshape (0 copies a dimension, -1 infers one), transpose."""
    x = inputs[0]
    attrs = layer.attrs
    x = x.transpose(attrs["first_transpose"][: x.ndim])
    if optional(inputs, 1) is not None or attrs["reshape_dims"] is not None:
        wanted = dims(layer, inputs, 1, "reshape_dims")
        if attrs["zero_is_placeholder"]:
            wanted = [x.shape[i] if d == 0 else d for i, d in enumerate(wanted)]
        x = x.reshape(wanted)
    return [x.transpose(attrs["second_transpose"][: x.ndim])]


def slice_layer(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Take `size` elements from `start` on, `stride` apart, along each axis; the mode says what lies outside."""
    x = inputs[0]
    start, size = dims(layer, inputs, 1, "start"), dims(layer, inputs, 2, "shape")
    stride = dims(layer, inputs, 3, "stride")
    axes_input = optional(inputs, 5)
    axes = layer.attrs["axes"] if axes_input is None else axes_input.tolist()
    axes = range(x.ndim) if axes is None else [axis % x.ndim for axis in axes]
    mode = layer.attrs["mode"]
    outside = np.zeros((), bool)
    for axis, first, count, step in zip(axes, start, size, stride, strict=True):
        length = x.shape[axis]
        index = first + step * np.arange(count)
        within = (index >= 0) & (index < length)
        if within.all():
            stop = first + step * count
            cut: list[slice | Array] = [slice(None)] * x.ndim
            cut[axis] = slice(first, stop if stop >= 0 else None, step) if count and step else index
            x = x[tuple(cut)]
        elif mode == "STRICT_BOUNDS":
            raise ValueError(f"elements {first}, {first + step}, ... ({count}) leave axis {axis} of length {length}")
        elif mode == "FILL" and length == 0:
            x = np.zeros((*x.shape[:axis], count, *x.shape[axis + 1 :]), x.dtype)
            outside = outside | np.ones((), bool)
        else:
            x = x.take(_bring_inside(index, length, mode), axis)
            if mode == "FILL":
                outside = outside | (~within).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
    if outside.any():
        fill = optional(inputs, 4)
        x = np.where(outside, np.zeros((), x.dtype) if fill is None else fill.reshape(()), x)
    return [x]


def _bring_inside(index: Array, length: int, mode: str) -> Array:
    if mode == "WRAP":
        return index % length
    if mode == "REFLECT":
        period = max(2 * (length - 1), 1)
        index = index % period
        return np.minimum(index, period - index) if length > 1 else np.zeros_like(index)
    return np.clip(index, 0, length - 1)


def padding(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Pad the last axes with zeros; negative padding cuts."""
    x = inputs[0]
    before, after = layer.attrs["pre_padding_nd"], layer.attrs["post_padding_nd"]
    still = [(0, 0)] * (x.ndim - len(before))
    cut = tuple(
        slice(max(-b, 0), n - max(-a, 0)) for b, a, n in zip(before, after, x.shape[-len(before) :], strict=True)
    )
    grow = [(max(b, 0), max(a, 0)) for b, a in zip(before, after, strict=True)]
    return [np.pad(x[cut], still + grow)]


def concatenation(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Join along an axis."""
    return [np.concatenate(inputs, layer.attrs["axis"])]


def shape(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Return the shape, int64 [rank]."""
    return [np.array(inputs[0].shape, np.int64)]


def squeeze(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Drop the axes that the second input names, or all of size 1."""
    axes = optional(inputs, 1)
    return [inputs[0].squeeze(None if axes is None else tuple(axes.ravel().tolist()))]


def unsqueeze(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Add axes of size 1 where the second input says, counted in the result."""
    return [np.expand_dims(inputs[0], tuple(inputs[1].ravel().tolist()))]


def reverse_sequence(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Reverse the first elements of each sequence, as many as its length, and keep the rest."""
    x, lengths = inputs
    batch, sequence = layer.attrs["batch_axis"], layer.attrs["sequence_axis"]
    moved = np.moveaxis(x, (batch, sequence), (0, 1))
    step = np.arange(moved.shape[1])
    ends = lengths.astype(np.int64)[:, None]
    index = np.where(step < ends, ends - 1 - step, step)
    index = index.reshape(*index.shape, *[1] * (x.ndim - 2))
    return [np.moveaxis(np.take_along_axis(moved, index, 1), (0, 1), (batch, sequence))]


TABLE: dict[str, LayerFunction] = {
    "shuffle": shuffle,
    "slice": slice_layer,
    "padding": padding,
    "concatenation": concatenation,
    "shape": shape,
    "squeeze": squeeze,
    "unsqueeze": unsqueeze,
    "reverse_sequence": reverse_sequence,
}
