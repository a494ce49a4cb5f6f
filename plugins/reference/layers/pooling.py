"""Pooling of any spatial rank, one axis after the other, for maxima and sums are separable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfgraft.plugins.reference.layers.base import LayerFunction, along, is_float, wide
from tfgraft.plugins.reference.layers.windows import Axis, forward_axes
from tfgraft.plugins.reference.network import Array, Layer


def pooling(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Take the maximum, the mean or a blend of both of windows over [N, C, spatial...].

    A mean divides by the number of elements of the input in the window, or also counts the padding that the network
    asks for (not what rounding the output's size up adds).
    """
    source = inputs[0]
    x = wide(source)
    window = layer.attrs["window_size_nd"]
    spatial = x.shape[x.ndim - len(window) :]
    axes = forward_axes(layer, window, [1] * len(window), spatial)
    kind = layer.attrs["type"]
    blend = {"MAX": 0.0, "AVERAGE": 1.0}.get(kind, layer.attrs["blend_factor"])
    value: Any = 0
    if kind != "AVERAGE":
        lowest = -np.inf if is_float(x.dtype) else np.iinfo(x.dtype).min
        value = (1 - blend) * _pool(x, axes, np.maximum, lowest) if blend else _pool(x, axes, np.maximum, lowest)
    if kind != "MAX":
        total = _pool(x.astype(np.float64), axes, np.add, 0)
        for i, (axis, length) in enumerate(zip(axes, spatial, strict=True)):
            total = total / along(_counts(axis, length, layer), total.ndim - len(axes) + i, total.ndim)
        value = value + blend * total
    return [value.astype(source.dtype, copy=False)]


def _pool(x: Array, axes: Sequence[Axis], combine: Callable[..., Array], neutral: float) -> Array:
    for i, axis in enumerate(axes):
        x = np.moveaxis(x, x.ndim - len(axes) + i, 0)
        begin = max(-axis.before, 0)
        padding = [(0, 0)] * x.ndim
        padding[0] = (max(axis.before, 0), max(axis.reach(x.shape[0]), 0))
        x = np.pad(x, padding, constant_values=neutral)[begin:] if any(padding[0]) or begin else x
        span = (axis.size - 1) * axis.stride + 1
        if axis.size == 1:
            value = combine.reduce(x[: axis.taps], 0)[None]  # type: ignore[attr-defined]
        else:
            value = x[: span : axis.stride].copy()
            for tap in range(1, axis.taps):
                combine(value, x[tap : tap + span : axis.stride], out=value)
        x = np.moveaxis(value, 0, x.ndim - len(axes) + i)
    return x


def _counts(axis: Axis, length: int, layer: Layer) -> Array:
    """Return how many elements each window along an axis has."""
    start = np.arange(axis.size) * axis.stride - axis.before
    if layer.attrs["average_count_excludes_padding"]:
        inside = np.minimum(start + axis.taps, length) - np.maximum(start, 0)
    else:
        inside = np.minimum(start + axis.taps, length + axis.after) - np.maximum(start, -axis.before)
    return inside


TABLE: dict[str, LayerFunction] = {"pooling": pooling}
