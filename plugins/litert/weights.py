"""Weights out of LiteRT models and back in: a model holds its constants as they lie in memory.

Those that are weights of the engine node, in the order of dimensions that LiteRT wants, are cut out of the bytes of the
model when it is built, and pasted in again when it is loaded. What the converter has computed out of several constants
is no weight of the node and stays in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfgraft.plugins.protocol import Array

Piece = Sequence[Any]
"""[offset in the model, length, index of the weight, permutation or None]."""
_ORDERS: dict[int, tuple[tuple[int, ...], ...]] = {
    2: ((1, 0),),
    3: ((2, 0, 1), (1, 2, 0), (0, 2, 1), (1, 0, 2), (2, 1, 0)),
    4: ((3, 0, 1, 2), (2, 0, 1, 3), (2, 3, 0, 1), (0, 3, 1, 2)),
    5: ((4, 0, 1, 2, 3),),
}
"""The orders of dimensions in which LiteRT's kernels have their weights, by rank; convolutions come first."""
_GLANCE = 64
"""So many elements are compared before the whole is."""


def cut(model: bytes, weights: Sequence[Array]) -> tuple[bytes, list[Piece]]:
    """Return a model without the bytes that are weights, and what has to be pasted where; see `paste`."""
    by_length: dict[int, list[int]] = {}
    for index, weight in enumerate(weights):
        by_length.setdefault(weight.nbytes, []).append(index)
    pieces: list[Piece] = []
    for offset, length in sorted(_buffers(model)):
        found = _find(model, offset, weights, by_length.get(length, ()))
        if found is not None:
            pieces.append([offset, length, *found])
    kept, at = [], 0
    for offset, length, _, _ in pieces:
        kept.append(model[at:offset])
        at = offset + length
    return b"".join((*kept, model[at:])), pieces


def paste(payload: bytes, pieces: Sequence[Piece], weights: Sequence[Array]) -> bytes:
    """Return the model that `cut` was given."""
    parts: list[Any] = []
    at = taken = 0  # in the model, in the payload
    for offset, length, index, perm in pieces:
        kept = offset - at
        parts.append(memoryview(payload)[taken : taken + kept])
        parts.append(_bytes(weights[index], perm).data)
        taken += kept
        at = offset + length
    parts.append(memoryview(payload)[taken:])
    return b"".join(parts)


def _bytes(weight: Array, perm: Sequence[int] | None) -> Array:
    ordered = np.ascontiguousarray(weight if perm is None else weight.transpose(perm))
    return ordered.reshape(-1).view(np.uint8)


def _buffers(model: bytes) -> Iterator[tuple[int, int]]:
    """Yield offset and length of each constant of a model."""
    from ai_edge_litert import schema_py_generated as schema

    start = np.frombuffer(model, np.uint8).ctypes.data
    root = schema.Model.GetRootAs(model, 0)
    for i in range(root.BuffersLength()):
        data = root.Buffers(i).DataAsNumpy()
        if isinstance(data, np.ndarray) and data.size:
            yield data.ctypes.data - start, data.size


def _find(
    model: bytes, offset: int, weights: Sequence[Array], candidates: Sequence[int]
) -> tuple[int, tuple[int, ...] | None] | None:
    """Return which weight, in which order, the bytes at an offset are."""
    for index in candidates:
        weight = weights[index]
        there = np.frombuffer(model, np.uint8, weight.nbytes, offset)
        glance = there[: _GLANCE * weight.itemsize].tobytes()
        for perm in (None, *_ORDERS.get(weight.ndim, ())):
            ordered = weight if perm is None else weight.transpose(perm)
            if ordered.flat[:_GLANCE].tobytes() == glance and np.array_equal(_bytes(weight, perm), there):
                return index, perm
    return None
