"""Layers that reduce along axes: reduce, softmax, topk, cumulative, normalization, lrn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfgraft.plugins.reference.layers.base import LayerFunction, axes_of, is_float, optional, wide
from tfgraft.plugins.reference.network import Array, Layer, dtype_of


def _limit(x: Array, sign: int) -> Any:
    """Return the neutral element of a maximum (sign -1) or minimum (sign 1)."""
    if is_float(x.dtype):
        return sign * np.inf
    info = np.iinfo(x.dtype)
    return info.min if sign < 0 else info.max


def _accumulator(x: Array) -> Any:
    return np.float64 if x.dtype == np.float32 else x.dtype


REDUCTIONS: dict[str, Callable[[Array, tuple[int, ...], bool], Array]] = {
    "SUM": lambda x, axes, keep: np.sum(x, axes, _accumulator(x), keepdims=keep),
    "PROD": lambda x, axes, keep: np.prod(x, axes, _accumulator(x), keepdims=keep),
    "MAX": lambda x, axes, keep: np.max(x, axes, keepdims=keep, initial=_limit(x, -1)),
    "MIN": lambda x, axes, keep: np.min(x, axes, keepdims=keep, initial=_limit(x, 1)),
    "AVG": lambda x, axes, keep: np.divide(
        np.sum(x, axes, np.float64, keepdims=keep), np.prod([x.shape[a] for a in axes])
    ),
    "NONE": lambda x, axes, keep: x,
}


def reduce(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Reduce over a mask of axes; sums and products of FP32 are accumulated in FP64."""
    x = inputs[0]
    axes = axes_of(layer.attrs["axes"], x.ndim)
    value = np.asarray(REDUCTIONS[layer.attrs["op"]](wide(x), axes, layer.attrs["keep_dims"]))
    if not is_float(x.dtype) and is_float(value.dtype):
        value = np.trunc(value)
    return [value.astype(x.dtype, copy=False)]


def exp_normalized(x: Array, axes: tuple[int, ...]) -> Array:
    """Return the softmax of a float array over axes."""
    if x.size == 0:
        return x
    top = x.max(axes, keepdims=True)
    power = np.exp(x - top)
    return power / power.sum(axes, keepdims=True)


def softmax(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Compute the softmax over a mask of axes."""
    x = inputs[0]
    return [exp_normalized(wide(x), axes_of(layer.attrs["axes"], x.ndim)).astype(x.dtype, copy=False)]


def ragged_softmax(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Compute the softmax of the first `bounds` elements of each row; the rest is zero."""
    x, bounds = inputs
    inside = np.arange(x.shape[-1]) < bounds
    value = exp_normalized(np.where(inside, wide(x), -np.inf), (-1,))
    return [np.where(inside, value, 0).astype(x.dtype)]


def topk(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Return the k largest or smallest values along one axis, in order, and their indices; of equals the first wins."""
    x = inputs[0]
    (axis,) = axes_of(layer.attrs["axes"], x.ndim)
    k_input = optional(inputs, 1)
    k = layer.attrs["k"] if k_input is None else int(k_input.item())
    values = wide(x)
    if layer.attrs["op"] == "MIN":
        order = np.argsort(values, axis, kind="stable")
    else:
        # Sorting backwards from the end keeps the first of equals first.
        last = x.shape[axis] - 1
        order = last - np.flip(np.argsort(np.flip(values, axis), axis, kind="stable"), axis)
    order = order.take(np.arange(k), axis)
    indices = order.astype(dtype_of(layer.attrs["indices_type"] or "int32"))
    return [np.take_along_axis(x, order, axis), indices]


def cumulative(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Compute running sums along an axis, with or without the element itself, forwards or backwards."""
    x = inputs[0]
    axis = int(inputs[1].item())
    value = wide(x)
    value = np.flip(value, axis) if layer.attrs["reverse"] else value
    total = np.cumsum(value, axis, _accumulator(value))
    if layer.attrs["exclusive"]:
        total = total - value
    total = np.flip(total, axis) if layer.attrs["reverse"] else total
    return [total.astype(x.dtype, copy=False)]


def normalization(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Normalize to mean 0 and variance 1 over axes, then scale and shift.

    With groups the channels (axis 1) are split, and each group is normalized as one; scale and shift are then for each
    group or for each channel.
    """
    x = inputs[0]
    gain, bias = (wide(value) for value in inputs[1:3])
    groups = layer.attrs["num_groups"]
    axes = axes_of(layer.attrs["axes"], x.ndim)
    value = wide(x)
    if groups > 1:
        value = value.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
        axes = (2, *(axis + 1 for axis in axes if axis > 1))
    centred = value - value.mean(axes, np.float64, keepdims=True)
    variance = np.square(centred).mean(axes, np.float64, keepdims=True)
    value = (centred / np.sqrt(variance + layer.attrs["epsilon"])).reshape(x.shape)
    if groups > 1 and gain.shape[1] == groups:
        gain, bias = (np.repeat(v, x.shape[1] // groups, 1) for v in (gain, bias))
    return [(value * gain + bias).astype(x.dtype, copy=False)]


def lrn(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Divide by (k + alpha / window * sum of squares of neighbouring channels) ** beta; channels are axis 1."""
    x = wide(inputs[0])
    window = layer.attrs["window_size"]
    channels = x.shape[1]
    padding = [(0, 0)] * x.ndim
    padding[1] = (window // 2 + 1, window // 2)
    total = np.cumsum(np.pad(np.square(x, dtype=np.float64), padding), 1)
    square = total[:, window : window + channels] - total[:, :channels]
    value = x / (layer.attrs["k"] + layer.attrs["alpha"] / window * square) ** layer.attrs["beta"]
    return [value.astype(inputs[0].dtype, copy=False)]


TABLE: dict[str, LayerFunction] = {
    "reduce": reduce,
    "softmax": softmax,
    "ragged_softmax": ragged_softmax,
    "topk": topk,
    "cumulative": cumulative,
    "normalization": normalization,
    "lrn": lrn,
}
