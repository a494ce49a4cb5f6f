"""The brackets of a StridedSlice: TensorFlow's `x[a:b:c, i, ..., None]` as its masks spell it."""

from __future__ import annotations

from dataclasses import dataclass

from tfgraft.graph.view import NodeView


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the brackets that takes part of an axis.

    Args:
        position: its place in the brackets.
        axis: the axis of the input.
        place: where that axis is in the result.
        shrink: whether it is a single index, whose axis the result does not have.
        from_start, to_end: whether the bound is left out.
        stride: the step where it is a constant, else None.
    """

    position: int
    axis: int
    place: int
    shrink: bool
    from_start: bool
    to_end: bool
    stride: int | None


def length(view: NodeView) -> int:
    """Return how many items the brackets have, -1 if it is not known."""
    return max(shape[0] if shape else -1 for shape in (view.shape(i) for i in (1, 2, 3)))


def read_brackets(view: NodeView) -> tuple[list[Item], list[int]]:
    """Return the items that take part of an axis, and where the result gets new axes."""
    strides = view.const(3)
    count = length(view)

    def is_real(i: int) -> bool:
        return not _mask(view, "ellipsis_mask", i) and not _mask(view, "new_axis_mask", i)

    items: list[Item] = []
    new: list[int] = []
    axis = place = 0
    for i in range(count):
        if _mask(view, "ellipsis_mask", i):
            covered = view.known_rank(0) - sum(is_real(k) for k in range(count))
            axis, place = axis + covered, place + covered
        elif _mask(view, "new_axis_mask", i):
            new.append(place)
            place += 1
        else:
            shrink = _mask(view, "shrink_axis_mask", i)
            stride = None if strides is None else int(strides[i])
            bounds = _mask(view, "begin_mask", i), _mask(view, "end_mask", i)
            items.append(Item(i, axis, place, shrink, *bounds, stride))
            axis, place = axis + 1, place + (not shrink)
    return items, new


def _mask(view: NodeView, name: str, i: int) -> bool:
    return bool(int(view.attr(name, 0)) >> i & 1)
