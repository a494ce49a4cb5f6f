"""Convolution and deconvolution of any spatial rank, as products of matrices."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from tfgraft.plugins.reference.layers.base import LayerFunction, along, optional, wide
from tfgraft.plugins.reference.layers.windows import Axis, backward_axes, forward_axes
from tfgraft.plugins.reference.network import Array, Layer

_COLUMN_ELEMENTS = 4_000_000
"""At most so many elements of windows are laid out at a time, 16 MB in FP32."""


def convolution(layer: Layer, inputs: Sequence[Array | None]) -> Sequence[Array]:
    """Convolve [N, C, spatial...] with a kernel [O, C / groups, spatial...] out of the weights or the second input."""
    source, kernel, bias = _operands(layer, inputs)
    kernel = kernel.reshape(layer.attrs["num_output_maps"], -1, *layer.attrs["kernel_size_nd"])
    x = wide(source)
    axes = forward_axes(layer, kernel.shape[2:], layer.attrs["dilation_nd"], x.shape[2:])
    groups = layer.attrs["num_groups"]
    if all(a.taps == 1 and a.stride == 1 and a.before == a.after == 0 for a in axes):
        value = _product(kernel, x.reshape(*x.shape[:2], math.prod(x.shape[2:])), groups)
    elif kernel.shape[1] == 1 and groups == x.shape[1]:
        value = _depthwise(kernel, _padded(x, axes), axes)
    else:
        value = _windowed(kernel, _padded(x, axes), axes, groups)
    return [_finish(value.reshape(x.shape[0], kernel.shape[0], *(a.size for a in axes)), bias, source)]


def deconvolution(layer: Layer, inputs: Sequence[Array | None]) -> Sequence[Array]:
    """Compute the transposed convolution of [N, C, spatial...] with a kernel [C, O / groups, spatial...]."""
    source, kernel, bias = _operands(layer, inputs)
    x = wide(source)
    groups, taps = layer.attrs["num_groups"], layer.attrs["kernel_size_nd"]
    kernel = kernel.reshape(x.shape[1], -1, *taps)
    axes = backward_axes(layer, taps, layer.attrs["dilation_nd"], x.shape[2:])
    batch, channels, *lengths = x.shape
    maps = kernel.shape[1]
    weights = kernel.reshape(groups, channels // groups, maps * math.prod(taps)).swapaxes(1, 2)
    columns = weights @ x.reshape(batch, groups, channels // groups, math.prod(lengths))
    columns = columns.reshape(batch, groups * maps, *taps, *lengths)
    full = [(n - 1) * a.stride + a.extent for n, a in zip(lengths, axes, strict=True)]
    value = np.zeros((batch, groups * maps, *full), x.dtype)
    for tap in itertools.product(*(range(n) for n in taps)):
        value[_strided(tap, axes, lengths)] += columns[_at(tap)]
    for i, (axis, length) in enumerate(zip(axes, full, strict=True)):
        before, after = axis.before, length - axis.before - axis.size
        value = _crop(value, i + 2, before, after)
    return [_finish(value, bias, source)]


def _operands(layer: Layer, inputs: Sequence[Array | None]) -> tuple[Array, Array, Array | None]:
    """Return the input, the kernel and the bias, which are weights or inputs."""
    source, kernel, bias = inputs[0], layer.weights.get("kernel"), layer.weights.get("bias")
    kernel = optional(inputs, 1) if kernel is None else kernel
    bias = optional(inputs, 2) if bias is None else bias
    if source is None or kernel is None:
        raise ValueError("the layer has no kernel")
    return source, wide(kernel), None if bias is None else wide(bias)


def _finish(value: Array, bias: Array | None, source: Array) -> Array:
    if bias is not None:
        value = value + along(bias.ravel(), 1, value.ndim)
    return value.astype(source.dtype, copy=False)


def _padded(x: Array, axes: Sequence[Axis]) -> Array:
    """Return `x` with zeros wherever a window goes beyond it, and cut where the padding is negative."""
    for i, axis in enumerate(axes):
        x = _crop(x, i + 2, -axis.before, min(-axis.reach(x.shape[i + 2]), 0))
    return x


def _crop(x: Array, axis: int, before: int, after: int) -> Array:
    """Cut elements off both ends of an axis; less than zero adds zeros."""
    cut = [slice(None)] * x.ndim
    cut[axis] = slice(max(before, 0), x.shape[axis] - max(after, 0))
    x = x[tuple(cut)]
    if before < 0 or after < 0:
        padding = [(0, 0)] * x.ndim
        padding[axis] = (max(-before, 0), max(-after, 0))
        x = np.pad(x, padding)
    return x


def _at(tap: Sequence[int]) -> tuple[slice | int, ...]:
    """Return the index of one tap in an array [.., .., taps...]."""
    return (slice(None), slice(None), *tap)


def _strided(tap: Sequence[int], axes: Sequence[Axis], sizes: Sequence[int]) -> tuple[slice, ...]:
    """Return the index of the elements that one tap of every window meets."""
    spatial = (
        slice(t * a.dilation, t * a.dilation + (n - 1) * a.stride + 1, a.stride)
        for t, a, n in zip(tap, axes, sizes, strict=True)
    )
    return (slice(None), slice(None), *spatial)


def _product(kernel: Array, columns: Array, groups: int) -> Array:
    """Multiply a kernel [O, C / groups, ...] with columns [N, C * taps, positions]."""
    batch, rows, positions = columns.shape
    weights = kernel.reshape(groups, kernel.shape[0] // groups, -1)
    value = weights @ columns.reshape(batch, groups, rows // groups, positions)
    return value.reshape(batch, kernel.shape[0], positions)


def _depthwise(kernel: Array, x: Array, axes: Sequence[Axis]) -> Array:
    """Convolve each channel on its own: one multiplication of the whole image for each tap."""
    sizes = [a.size for a in axes]
    batch, channels = x.shape[:2]
    weights = kernel.reshape(channels, -1, *kernel.shape[2:])
    value = np.zeros((batch, channels, weights.shape[1], *sizes), x.dtype)
    for tap in itertools.product(*(range(a.taps) for a in axes)):
        weight = weights[_at(tap)]
        value += x[_strided(tap, axes, sizes)][:, :, None] * weight.reshape(*weight.shape, *[1] * len(axes))
    return value


def _windowed(kernel: Array, x: Array, axes: Sequence[Axis], groups: int) -> Array:
    """Lay the windows of some rows at a time out as columns, and multiply them with the kernel."""
    batch, channels = x.shape[:2]
    sizes = [a.size for a in axes]
    taps = [a.taps for a in axes]
    value = np.empty((batch, kernel.shape[0], *sizes), x.dtype)
    row = max(batch * channels * math.prod(taps) * math.prod(sizes[1:]), 1)
    step = max(_COLUMN_ELEMENTS // row, 1)
    for start in range(0, sizes[0], step):
        count = min(step, sizes[0] - start)
        first = start * axes[0].stride
        strip = x[:, :, first : first + (count - 1) * axes[0].stride + axes[0].extent]
        shape = (count, *sizes[1:])
        columns = np.empty((batch, channels, *taps, *shape), x.dtype)
        for tap in itertools.product(*(range(n) for n in taps)):
            columns[_at(tap)] = strip[_strided(tap, axes, shape)]
        columns = columns.reshape(batch, channels * math.prod(taps), math.prod(shape))
        value[:, :, start : start + count] = _product(kernel, columns, groups).reshape(batch, kernel.shape[0], *shape)
    return value


TABLE: dict[str, LayerFunction] = {"convolution": convolution, "deconvolution": deconvolution}
