"""Axes of values held in another order than TensorFlow's: dropping, inserting, and reading them from constants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tfgraft.converters.onnx.context import UNIT, OnnxContext, Perm
from tfgraft.converters.onnx.layout import held_axis
from tfgraft.graph.view import NodeView


def const_axes(view: NodeView, i: int) -> list[int]:
    """Return the axes that constant input `i` names; those of a known rank (input 0's) without negative ones."""
    return plain_axes(np.asarray(view.known_const(i)).reshape(-1).tolist(), view.rank(0) if i else None)


def plain_axes(axes: Iterable[int], rank: int | None) -> list[int]:
    """Return axes with negative ones counted from the front, where the rank is known."""
    return [int(a) + rank if a < 0 and rank is not None else int(a) for a in axes]


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


def same_sequence(ctx: OnnxContext, view: NodeView, i: int) -> tuple[str, bool]:
    """Return a value whose elements are in TensorFlow's row-major sequence, and whether its dimensions are too.

    Moving dimensions of size one does not change the sequence, so such a value serves a reshape as it is held.
    """
    perm, shape = ctx.perm_of(view, i), view.shape(i)
    if perm is not None and shape is not None:
        large = [d for d in perm if shape[d] != 1]
        if large == sorted(large):
            return ctx.get(view, i, perm), False
    return ctx.get(view, i), True


def int64(ctx: OnnxContext, view: NodeView, i: int) -> str:
    """Return integer input `i` as int64, cast by numpy if it is a constant."""
    value = view.const(i)
    if value is not None:
        return ctx.const(value.astype(np.int64))
    name = ctx.get(view, i)
    return name if view.dtype(i) == "int64" else ctx.cast(name, "int64")
