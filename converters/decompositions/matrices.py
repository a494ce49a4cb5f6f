"""Decompositions of ops on the diagonals and bands of matrices: selections by a constant or computed mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import decomposition
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def _offsets(rows: Any, columns: Any, dtype: Any = tf.int32) -> Any:
    """Return column minus row for every place of a matrix; constant if both sizes are."""
    if isinstance(rows, int) and isinstance(columns, int):
        return tf.constant(np.arange(columns)[None, :] - np.arange(rows)[:, None], dtype)
    return tf.cast(tf.range(columns)[None, :] - tf.range(rows)[:, None], dtype)


def _size(x: Any, axis: int) -> Any:
    """Return a dimension: a Python int if it is known."""
    known = None if x.shape.rank is None else x.shape[axis]
    return known if known is not None else tf.shape(x)[axis]


@decomposition("MatrixBandPart")
def matrix_band_part(x: Any, lower: Any, upper: Any) -> Any:
    """Keep `lower` diagonals below the main one and `upper` above it; a negative number keeps all."""
    offsets = _offsets(_size(x, -2), _size(x, -1), lower.dtype)
    zero = tf.zeros((), lower.dtype)
    keep = ((lower < zero) | (-offsets <= lower)) & ((upper < zero) | (offsets <= upper))
    return tf.where(keep, x, tf.zeros((), x.dtype))


def main_diagonal(x: Any, padding: Any) -> Any:
    """Return square matrices with `x` on their main diagonals and `padding` elsewhere."""
    n = _size(x, -1)
    return tf.where(tf.equal(_offsets(n, n), 0), tf.expand_dims(x, -1), padding)


@decomposition("MatrixDiag")
def matrix_diag(x: Any) -> Any:
    """A matrix with `x` on its diagonal."""
    return main_diagonal(x, tf.zeros((), x.dtype))


def _vector(view: NodeView) -> Support:
    if view.rank() is None:
        return Unsupported("unknown-rank", "Diag needs the rank of its input, and it is not known.", "input 0")
    if view.rank() != 1:
        return Unsupported("rank", f"Diag is decomposed for vectors only, not for rank {view.rank()}.", "input 0")
    return SUPPORTED


@decomposition("Diag", check=_vector)
def diag(x: Any) -> Any:
    """A matrix with the vector `x` on its diagonal."""
    return main_diagonal(x, tf.zeros((), x.dtype))


def check_main_part(view: NodeView) -> Support:
    """Say whether `main_part` applies to a node's first input."""
    if view.dtype() == "bool":
        return Unsupported("dtype", f"{view.op} of bool is decomposed where the sizes are known.", "input 0")
    return SUPPORTED


def main_part(x: Any) -> Any:
    """Return the main diagonal of each matrix."""
    rows, columns = _size(x, -2), _size(x, -1)
    # Sums with exact zeros: the one other summand of a row is its place on the diagonal.
    part = tf.reduce_sum(tf.where(tf.equal(_offsets(rows, columns), 0), x, tf.zeros((), x.dtype)), -1)
    if isinstance(rows, int) and isinstance(columns, int) and rows <= columns:
        return part
    return part[..., : tf.minimum(rows, columns)]


@decomposition("MatrixDiagPart", check=check_main_part)
def matrix_diag_part(x: Any) -> Any:
    """The main diagonal of each matrix."""
    return main_part(x)


def _square(view: NodeView) -> Support:
    shape = view.shape()
    if shape is None:
        return Unsupported("unknown-rank", f"{view.op} needs the rank of its input, and it is not known.", "input 0")
    if shape[-1] < 0 or shape[-1] != shape[-2]:
        return Unsupported("unknown-dim", f"{view.op} is decomposed for matrices known to be square.", "input 0")
    return SUPPORTED


@decomposition("MatrixSetDiag", check=_square)
def matrix_set_diag(x: Any, diagonal: Any) -> Any:
    """Each matrix with another main diagonal."""
    n = _size(x, -1)
    return tf.where(tf.equal(_offsets(n, n), 0), tf.expand_dims(diagonal, -1), x)


DECOMPOSITIONS = (matrix_band_part, matrix_diag, diag, matrix_diag_part, matrix_set_diag)
