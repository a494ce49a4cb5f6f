"""Orders: in which order a value held by an engine has the dimensions of a TensorFlow tensor, and axes under it.

Engines convolve channels-first; TensorFlow's tensors mostly are channels-last. Converters keep track of the order in
which each value is held, so that transposes are needed at a cluster's edges only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tfgraft.graph.view import NodeView, Shape

Perm = tuple[int, ...]
"""The order in which a value's dimensions stand for a tensor's: `value.shape[k] == tensor.shape[perm[k]]`, as with
`numpy.transpose`."""
UNIT = -1
"""In a `Perm`: a dimension of size one that the tensor does not have. A one-dimensional convolution is a
two-dimensional one on such values, from one to the next, with nothing to insert or remove between them."""
NCHW: Perm = (0, 3, 1, 2)
"""The order of an NHWC tensor's dimensions that makes it NCHW."""
NCDHW: Perm = (0, 4, 1, 2, 3)
"""The order of an NDHWC tensor's dimensions that makes it NCDHW."""


def without_units(perm: Perm) -> Perm:
    """Return an order without its `UNIT` dimensions."""
    return tuple(d for d in perm if d != UNIT)


def held_axis(axis: int, rank: int, perm: Perm | None) -> int:
    """Map an axis of a TensorFlow tensor (negative ones count from the end) to that of the value held as `perm`."""
    positive = axis + rank if axis < 0 else axis
    return positive if perm is None else perm.index(positive)


def held_axes(axes: Sequence[int], perm: Perm | None) -> list[int]:
    """Map TensorFlow's axes to those of a value held in the order `perm`."""
    return list(axes) if perm is None else [held_axis(a, len(perm), perm) for a in axes]


def drop_axes(perm: Perm | None, axes: Iterable[int]) -> Perm | None:
    """Return the order in which a value is held after TensorFlow's `axes` (not negative) were removed from it."""
    if perm is None:
        return None
    gone = set(axes)
    kept = [d for d in perm if d not in gone]
    ranked = sorted(kept)
    return tuple(ranked.index(d) for d in kept)


def leave_axes(form: Perm, axes: Iterable[int]) -> Perm:
    """Return the form of a held value whose `axes` (not negative), of size one, the tensor no longer has."""
    gone = sorted(axes)
    return tuple(UNIT if d in gone else d - sum(a < d for a in gone) if d != UNIT else UNIT for d in form)


def take_unit(form: Perm, axis: int) -> Perm:
    """Return the form of a held value whose first `UNIT` dimension has become the tensor's new axis `axis`."""
    order = [d + (d >= axis) if d != UNIT else UNIT for d in form]
    order[order.index(UNIT)] = axis
    return tuple(order)


def insert_axes(perm: Perm | None, axes: Iterable[int]) -> tuple[list[int], Perm | None]:
    """Return where Unsqueeze must insert, and the order held then, so that TensorFlow's result has new axes at `axes`.

    Args:
        axes: positions in the result; not negative where `perm` is given.
    """
    wanted = list(axes)
    if perm is None:
        return wanted, None
    order = list(perm)
    for axis in sorted(wanted):
        order = [d + (d >= axis) for d in order]
        # Beside the axis that follows it in TensorFlow, so that reshapes of both stay adjacent.
        order.insert(order.index(axis + 1) if axis + 1 in order else len(order), axis)
    return [order.index(a) for a in wanted], tuple(order)


def const_axes(view: NodeView, i: int) -> list[int]:
    """Return the axes that constant input `i` names; those of a known rank (input 0's) without negative ones."""
    return plain_axes(np.asarray(view.known_const(i)).reshape(-1).tolist(), view.rank(0) if i else None)


def plain_axes(axes: Iterable[int], rank: int | None) -> list[int]:
    """Return axes with negative ones counted from the front, where the rank is known."""
    return [int(a) + rank if a < 0 and rank is not None else int(a) for a in axes]


def keeps_sequence(perm: Perm | None, shape: Shape) -> bool:
    """Tell whether a value held in another order has its elements in TensorFlow's row-major sequence all the same.

    Moving dimensions of size one does not change the sequence, so such a value serves a reshape as it is held.
    """
    if perm is None or shape is None:
        return False
    large = [d for d in perm if shape[d] != 1]
    return large == sorted(large)
