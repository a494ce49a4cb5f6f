"""Decompositions of ops on any diagonals of matrices of known sizes: gathers at constant places."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgraft.converters.decompositions.matrices import check_main_part, main_diagonal, main_part
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import decomposition
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

Places = NDArray[np.int32]


@dataclass(frozen=True)
class Band:
    """Neighbouring diagonals of a matrix, as TensorFlow packs them: the uppermost first, in rows of one length.

    Args:
        rows, columns: the matrix's sizes.
        low, high: the first and the last diagonal; the main one is 0, those above it are positive.
        align: on which side of their row diagonals that are shorter are: for those above and those below the main
            one, such as "RIGHT_LEFT".
    """

    rows: int
    columns: int
    low: int
    high: int
    align: str

    @property
    def width(self) -> int:
        """The length of the longest diagonal."""
        return min(self.rows + min(self.high, 0), self.columns - max(self.low, 0))

    def places(self) -> Places:
        """Return where in the flat matrix each packed element is, as [diagonals, width]; -1 where it is padding."""
        above, below = (side == "RIGHT" for side in self.align.split("_"))
        packed = np.full((self.high - self.low + 1, self.width), -1, np.int32)
        for i, k in enumerate(range(self.high, self.low - 1, -1)):
            row, column = max(-k, 0), max(k, 0)
            length = min(self.rows - row, self.columns - column)
            start = self.width - length if (above if k > 0 else below if k < 0 else above or below) else 0
            packed[i, start : start + length] = (row + np.arange(length)) * self.columns + column + np.arange(length)
        return packed

    def sources(self) -> Places:
        """Return where among the flat packed elements each of the matrix is, as [rows, columns]; -1 if nowhere."""
        packed = self.places().reshape(-1)
        flat = np.full(self.rows * self.columns, -1, np.int32)
        flat[packed[packed >= 0]] = np.flatnonzero(packed >= 0)
        return flat.reshape(self.rows, self.columns)


def _pick(x: Any, size: int, like: Any, inner: int, places: Places, other: Any) -> Any:
    """Take from `x`, read as [..., size], what is at `places`; `other` where those are -1.

    Args:
        like: a tensor, `x` or another, whose dimensions but the last `inner` are the leading ones of `x`.
    """
    outer = like.shape.as_list()[:-inner]
    if size == 0:
        return other + tf.zeros(tf.concat([tf.shape(like)[:-inner], places.shape], 0), x.dtype)
    if outer.count(None) <= 1 and 0 not in outer:
        flat = tf.reshape(x, [*(-1 if d is None else d for d in outer), size])
    else:
        flat = tf.reshape(x, tf.concat([tf.shape(like)[:-inner], [size]], 0))
    taken = tf.gather(flat, np.maximum(places, 0), axis=-1)
    return taken if np.all(places >= 0) else tf.where(places >= 0, taken, other)


def _bounds(k: Any) -> tuple[int, int]:
    values = np.reshape(k, -1)
    return int(values[0]), int(values[-1])


def _constants(view: NodeView, inputs: Iterable[int]) -> Support:
    for i in inputs:
        if view.const(i) is None:
            return Unsupported("not-constant", f"{view.op} is decomposed with a constant input {i}.", f"input {i}")
    return SUPPORTED


def _sizes_known(view: NodeView, inner: int, why: str) -> Support:
    shape = view.shape()
    if shape is None:
        return Unsupported("unknown-rank", f"{view.op} needs the rank of its input, and it is not known.", "input 0")
    if any(d < 0 for d in shape[-inner:]):
        return Unsupported("unknown-dim", f"{view.op} is decomposed where the sizes are known{why}.", "input 0")
    return SUPPORTED


def _check_diag(view: NodeView) -> Support:
    constant = _constants(view, (1, 2, 3))
    if isinstance(constant, Unsupported):
        return constant
    low, high = _bounds(view.known_const(1))
    if low == high == 0 and view.known_const(2) == view.known_const(3) == -1:
        return SUPPORTED
    return _sizes_known(view, 1 if low == high else 2, ", or for a square result with a main diagonal")


@decomposition("MatrixDiagV2", "MatrixDiagV3", check=_check_diag)
def matrix_diag(x: Any, k: Any, rows: Any, columns: Any, padding: Any, *, align: str = "LEFT_LEFT") -> Any:
    """Matrices with `x` on some diagonals and `padding` elsewhere."""
    (low, high), m, n = _bounds(tf.get_static_value(k)), *(int(tf.get_static_value(v)) for v in (rows, columns))
    if low == high == 0 and m == n == -1:
        return main_diagonal(x, padding)
    least = int(x.shape[-1]) - min(high, 0), int(x.shape[-1]) + max(low, 0)
    if m == n == -1:
        m = n = max(least)
    band = Band(least[0] if m == -1 else m, least[1] if n == -1 else n, low, high, align)
    inner = 1 if low == high else 2
    return _pick(x, math.prod(x.shape[-inner:]), x, inner, band.sources(), padding)


def _check_part(view: NodeView) -> Support:
    constant = _constants(view, (1,))
    if isinstance(constant, Unsupported):
        return constant
    known = _sizes_known(view, 2, ", or for the main diagonal")
    main = isinstance(known, Unsupported) and _bounds(view.known_const(1)) == (0, 0)
    return check_main_part(view) if main else known


@decomposition("MatrixDiagPartV2", "MatrixDiagPartV3", check=_check_part)
def matrix_diag_part(x: Any, k: Any, padding: Any, *, align: str = "LEFT_LEFT") -> Any:
    """Some diagonals of each matrix, packed, with `padding` where they are short."""
    if not x.shape[-2:].is_fully_defined():
        return main_part(x)
    low, high = _bounds(tf.get_static_value(k))
    rows, columns = x.shape[-2:]
    places = Band(rows, columns, low, high, align).places()
    return _pick(x, rows * columns, x, 2, places[0] if low == high else places, padding)


def _check_set(view: NodeView) -> Support:
    constant = _constants(view, (2,))
    return constant if isinstance(constant, Unsupported) else _sizes_known(view, 2, "")


@decomposition("MatrixSetDiagV2", "MatrixSetDiagV3", check=_check_set)
def matrix_set_diag(x: Any, diagonal: Any, k: Any, *, align: str = "LEFT_LEFT") -> Any:
    """Each matrix with other diagonals."""
    (rows, columns), (low, high) = x.shape[-2:], _bounds(tf.get_static_value(k))
    band = Band(rows, columns, low, high, align)
    return _pick(diagonal, band.places().size, x, 2, band.sources(), x)


DECOMPOSITIONS = (matrix_diag, matrix_diag_part, matrix_set_diag)
