"""Layers driven by indices: gather, scatter, one_hot, non_zero; and fill, which makes them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from tfgraft.plugins.reference.layers.base import LayerFunction, dims, optional
from tfgraft.plugins.reference.network import Array, Layer, dtype_of


def gather(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Gather slices (DEFAULT), elements (ELEMENT) or the slices that index tuples name (ND)."""
    x, indices = inputs
    mode, batch = layer.attrs["mode"], layer.attrs["num_elementwise_dims"]
    indices = indices.astype(np.int64)
    if mode == "ELEMENT":
        return [np.take_along_axis(x, indices, layer.attrs["axis"])]
    if mode == "ND":
        lead = _grid(x.shape[:batch], indices.ndim - 1)
        where = (*lead, *np.moveaxis(indices, -1, 0))
        return [x[where]]
    axis = layer.attrs["axis"]
    if batch == 0:
        return [x.take(indices, axis)]
    rows = [row.take(index, axis - 1) for row, index in zip(x, indices, strict=True)]
    return [np.stack(rows)]


def scatter(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Write updates into a copy at single elements along an axis (ELEMENT) or at index tuples (ND)."""
    x, indices, updates = inputs
    value = x.copy()
    indices = indices.astype(np.int64)
    if layer.attrs["mode"] == "ELEMENT":
        np.put_along_axis(value, indices, updates, layer.attrs["axis"])
    else:
        value[tuple(np.moveaxis(indices, -1, 0))] = updates
    return [value]


def one_hot(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Return values[1] where the new axis' position equals the index, else values[0]."""
    indices, values, depth = inputs
    axis = layer.attrs["axis"] % (indices.ndim + 1)
    shape = [1] * (indices.ndim + 1)
    shape[axis] = -1
    hot = np.expand_dims(indices, axis) == np.arange(depth.item()).reshape(shape)
    return [np.where(hot, values[1], values[0])]


def non_zero(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Return the indices of what is not zero, [rank, count], in row-major order."""
    return [np.stack(np.nonzero(inputs[0])).astype(dtype_of(layer.attrs["indices_type"] or "int32"))]


def fill(layer: Layer, inputs: Sequence[Array | None]) -> Sequence[Array]:
    """Fill with start + sum of step[d] * index[d], or with random numbers that depend on the layer's name alone."""
    shape = dims(layer, inputs, 0, "shape")
    dtype = dtype_of(layer.attrs["to_type"])
    a, b = (optional(inputs, i) for i in (1, 2))
    alpha = np.asarray(layer.attrs["alpha"]) if a is None else a.reshape(())
    beta = np.asarray(layer.attrs["beta"]) if b is None else b
    if layer.attrs["operation"] == "LINSPACE":
        value = np.broadcast_to(alpha, shape)
        for axis, step in enumerate(beta.ravel()):
            size = [1] * len(shape)
            size[axis] = -1
            value = value + (np.arange(shape[axis], dtype=step.dtype) * step).reshape(size)
        return [value.astype(dtype)]
    generator = np.random.default_rng(zlib.crc32(layer.name.encode()))
    if layer.attrs["operation"] == "RANDOM_UNIFORM":
        return [generator.uniform(alpha, beta.reshape(()), shape).astype(dtype)]
    return [generator.normal(alpha, beta.reshape(()), shape).astype(dtype)]


def _grid(lengths: Sequence[int], rank: int) -> list[Array]:
    """Return each of the leading axes' own positions, shaped to broadcast with indices of a given rank."""
    return [np.arange(n).reshape([-1 if a == axis else 1 for a in range(rank)]) for axis, n in enumerate(lengths)]


TABLE: dict[str, LayerFunction] = {
    "gather": gather,
    "scatter": scatter,
    "one_hot": one_hot,
    "non_zero": non_zero,
    "fill": fill,
}
