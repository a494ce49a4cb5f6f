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


def _main_diagonal(view: NodeView) -> Support:
    """Take the newer forms of these ops where they ask for what the first form does."""
    at = 2 if view.op.startswith("MatrixSetDiag") else 1
    k = view.const(at)
    if k is None:
        return Unsupported("not-constant", f"{view.op} is decomposed with a constant diagonal k.", f"input {at}")
    if np.any(k != 0):
        return Unsupported("attribute", f"{view.op} is decomposed for the main diagonal only.", f"input {at}")
    return SUPPORTED


def _square_diagonal(view: NodeView) -> Support:
    main = _main_diagonal(view)
    if isinstance(main, Unsupported):
        return main
    sizes = [view.const(i) for i in (2, 3)]
    if any(size is None or np.any(size != -1) for size in sizes):
        return Unsupported("attribute", f"{view.op} is decomposed for square results only.", "input 2")
    return SUPPORTED


def _diagonal(x: Any, padding: Any) -> Any:
    n = _size(x, -1)
    return tf.where(tf.equal(_offsets(n, n), 0), tf.expand_dims(x, -1), padding)


@decomposition("MatrixDiag")
def matrix_diag(x: Any) -> Any:
    """A matrix with `x` on its diagonal."""
    return _diagonal(x, tf.zeros((), x.dtype))


@decomposition("MatrixDiagV2", "MatrixDiagV3", check=_square_diagonal)
def matrix_diag_v3(x: Any, k: Any, rows: Any, columns: Any, padding: Any) -> Any:
    """A square matrix with `x` on its main diagonal and `padding` elsewhere."""
    return _diagonal(x, padding)


def _vector(view: NodeView) -> Support:
    if view.rank() is None:
        return Unsupported("unknown-rank", "Diag needs the rank of its input, and it is not known.", "input 0")
    if view.rank() != 1:
        return Unsupported("rank", f"Diag is decomposed for vectors only, not for rank {view.rank()}.", "input 0")
    return SUPPORTED


@decomposition("Diag", check=_vector)
def diag(x: Any) -> Any:
    """A matrix with the vector `x` on its diagonal."""
    return _diagonal(x, tf.zeros((), x.dtype))


def _diagonal_part(x: Any) -> Any:
    rows, columns = _size(x, -2), _size(x, -1)
    # Sums with exact zeros: the one other summand of a row is its place on the diagonal.
    part = tf.reduce_sum(tf.where(tf.equal(_offsets(rows, columns), 0), x, tf.zeros((), x.dtype)), -1)
    if isinstance(rows, int) and isinstance(columns, int) and rows <= columns:
        return part
    return part[..., : tf.minimum(rows, columns)]


@decomposition("MatrixDiagPart")
def matrix_diag_part(x: Any) -> Any:
    """The main diagonal of each matrix."""
    return _diagonal_part(x)


@decomposition("MatrixDiagPartV2", "MatrixDiagPartV3", check=_main_diagonal)
def matrix_diag_part_v3(x: Any, k: Any, padding: Any) -> Any:
    """The main diagonal of each matrix."""
    return _diagonal_part(x)


def _square(view: NodeView) -> Support:
    shape = view.shape()
    if view.op != "MatrixSetDiag":
        main = _main_diagonal(view)
        if isinstance(main, Unsupported):
            return main
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


@decomposition("MatrixSetDiagV2", "MatrixSetDiagV3", check=_square)
def matrix_set_diag_v3(x: Any, diagonal: Any, k: Any) -> Any:
    """Each matrix with another main diagonal."""
    n = _size(x, -1)
    return tf.where(tf.equal(_offsets(n, n), 0), tf.expand_dims(diagonal, -1), x)


DECOMPOSITIONS = (
    *(matrix_band_part, matrix_diag, matrix_diag_v3, diag, matrix_diag_part, matrix_diag_part_v3),
    *(matrix_set_diag, matrix_set_diag_v3),
)
