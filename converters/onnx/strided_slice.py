"""StridedSlice: TensorFlow's `x[a:b:c, i, ..., None]`, with constant or computed bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.converters.brackets import Item, length, read_brackets
from tfgraft.converters.onnx.axes import int64
from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.slicing import LAST
from tfgraft.converters.orders import drop_axes, held_axes, insert_axes
from tfgraft.graph.dtypes import INTS, PLAIN
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def _check(view: NodeView) -> Support:
    if length(view) < 0:
        return Unsupported("unknown-dim", "StridedSlice needs to know how many axes it takes parts of.", "input 1")
    if int(view.attr("ellipsis_mask", 0)) and view.rank(0) is None:
        return Unsupported(
            "unknown-rank", "StridedSlice with an ellipsis needs the rank.", "input 0", "Give input_shapes."
        )
    return SUPPORTED


@converter(
    "StridedSlice",
    engine="onnx",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS, 2: INTS, 3: INTS}),
    check=_check,
)
def strided_slice(ctx: OnnxContext, view: NodeView) -> None:
    """TF StridedSlice -> Gather for a single index, else Slice; then Squeeze and Unsqueeze."""
    items, new = read_brackets(view)
    perm = ctx.perm_of(view, 0)
    value = ctx.get(view, 0, perm)
    items = [item for item in items if not _takes_all(view, item)]
    if len(items) == 1 and items[0].shrink:
        (axis,) = held_axes([items[0].axis], perm)
        value = ctx.node("Gather", [value, _index(ctx, view, items[0])], axis=axis)
    elif items:
        starts, stops, steps = _bounds(ctx, view, items)
        axes = held_axes([item.axis for item in items], perm)
        value = ctx.node("Slice", [value, starts, stops, ctx.ints(axes), *steps])
        gone = [a for a, item in zip(axes, items, strict=True) if item.shrink]
        if gone:
            value = ctx.node("Squeeze", [value, ctx.ints(gone)])
    after = drop_axes(perm, [item.axis for item in items if item.shrink])
    if new:
        where, after = insert_axes(after, new)
        value = ctx.node("Unsqueeze", [value, ctx.ints(where)])
    ctx.set(view, 0, value, after)


def _takes_all(view: NodeView, item: Item) -> bool:
    """Tell whether an item is a plain `:` (written as such, or by bounds that are the whole axis)."""
    if item.shrink or item.stride != 1:
        return False
    begin, end = view.const(1), view.const(2)
    shape = view.shape(0)
    starts = item.from_start or (begin is not None and begin[item.position] == 0)
    size = -1 if shape is None else shape[item.axis]
    stops = item.to_end or (end is not None and size >= 0 and end[item.position] >= size)
    return bool(starts and stops)


def _index(ctx: OnnxContext, view: NodeView, item: Item) -> str:
    begin = view.const(1)
    if begin is not None:
        return ctx.const(int(begin[item.position]), "int64")
    return ctx.node("Gather", [int64(ctx, view, 1), ctx.const(item.position, "int64")])


def _bounds(ctx: OnnxContext, view: NodeView, items: list[Item]) -> tuple[str, str, list[str]]:
    """Return the starts and stops of the items, as constants where they are, and the steps unless all are one."""
    shrink = np.array([item.shrink for item in items])
    from_start = np.array([item.from_start and not item.shrink for item in items])
    to_end = np.array([item.to_end and not item.shrink for item in items])
    positions = [item.position for item in items]
    steps = _merge(ctx, shrink, np.ones(len(items), np.int64), lambda: _vector(ctx, view, 3, positions))
    starts = _merge(ctx, from_start, lambda: _by_sign(ctx, steps, 0, LAST), lambda: _vector(ctx, view, 1, positions))
    stops = _merge(ctx, to_end, lambda: _by_sign(ctx, steps, LAST, -LAST), lambda: _vector(ctx, view, 2, positions))
    if shrink.any():
        one_more = _next(ctx, starts)
        kept = stops
        stops = one_more if shrink.all() else _merge(ctx, ~shrink, lambda: kept, lambda: one_more)
    ones = not isinstance(steps, str) and bool(np.all(steps == 1))
    return _name(ctx, starts), _name(ctx, stops), [] if ones else [_name(ctx, steps)]


Vector = str | NDArray[Any]
"""An int64 vector: the name of a value, or known."""


def _vector(ctx: OnnxContext, view: NodeView, i: int, positions: list[int]) -> Vector:
    known = view.const(i)
    if known is not None:
        return known.astype(np.int64)[positions]
    name = int64(ctx, view, i)
    if positions == list(range(length(view))):
        return name
    return ctx.node("Gather", [name, ctx.ints(positions)])


def _by_sign(ctx: OnnxContext, steps: Vector, forward: int, backward: int) -> Vector:
    """Return `forward` for positive steps, `backward` for negative ones."""
    if not isinstance(steps, str):
        return np.where(steps < 0, backward, forward)
    back = ctx.node("Less", [steps, ctx.const(0, "int64")])
    return ctx.node("Where", [back, ctx.const(backward, "int64"), ctx.const(forward, "int64")])


def _merge(
    ctx: OnnxContext, mask: NDArray[Any], inside: Vector | Callable[[], Vector], outside: Callable[[], Vector]
) -> Vector:
    """Return `inside` at the mask, `outside` elsewhere; nothing is emitted for what is not used."""
    if not mask.any():
        return outside()
    first = inside() if callable(inside) else inside
    if mask.all():
        return first
    second = outside()
    if not isinstance(first, str) and not isinstance(second, str):
        return np.where(mask, first, second)
    return ctx.node("Where", [ctx.const(mask), _name(ctx, first), _name(ctx, second)])


def _next(ctx: OnnxContext, starts: Vector) -> Vector:
    """Return the stops of single indices: one more, but all that is left after -1."""
    if not isinstance(starts, str):
        return np.where(starts == -1, LAST, starts + 1)
    last = ctx.node("Equal", [starts, ctx.const(-1, "int64")])
    return ctx.node("Where", [last, ctx.const(LAST, "int64"), ctx.node("Add", [starts, ctx.const(1, "int64")])])


def _name(ctx: OnnxContext, vector: Vector) -> str:
    return vector if isinstance(vector, str) else ctx.ints(vector)


CONVERTERS = (strided_slice,)
