"""StridedSlice: TensorFlow's `x[a:b:c, i, ..., None]`, with constant or computed bounds."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.brackets import Item, length, read_brackets
from tfgraft.converters.orders import drop_axes, held_axis, insert_axes
from tfgraft.converters.tensorrt.context import INTS, PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, floor_div, larger, minus, plus, smaller, times, vector
from tfgraft.converters.tensorrt.emit import cut, squeeze, unsqueeze
from tfgraft.converters.tensorrt.measure import dim_of, held_shape, take, values_of
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def _check(view: NodeView) -> Support:
    if length(view) < 0:
        return Unsupported("unknown-dim", "StridedSlice needs to know how many axes it takes parts of.", "input 1")
    return SUPPORTED


@converter(
    "StridedSlice",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS, 2: INTS, 3: INTS}, known_ranks=(0,)),
    check=_check,
    notes="Computed bounds must be computed from shapes and integer inputs.",
)
def strided_slice(ctx: TensorRtContext, view: NodeView) -> None:
    """TF StridedSlice -> slice, squeeze for single indices, unsqueeze for new axes.

    Single indices are gathered where they are computed, or where a slice would need dimensions that are not known.
    """
    items, new = read_brackets(view)
    perm, count = ctx.perm_of(view, 0), length(view)
    begins, ends, strides = (values_of(ctx, view, i, count) for i in (1, 2, 3))
    tensor, shape = ctx.get(view, 0, perm), held_shape(view, 0, perm)
    gone = [item.axis for item in items if item.shrink]
    static, rest = min(shape, default=0) >= 0, []
    for item in items:
        k = held_axis(item.axis, len(shape), perm)
        if item.shrink and not (static and isinstance(begins[item.position], int)):
            tensor = _take_one(ctx, tensor, k, begins[item.position], shape[k])
            shape[k] = 1
        elif not _takes_all(item, begins, ends, strides, shape[k]):
            rest.append((k, item))
    if rest:
        dims = [dim_of(ctx, tensor, k, known) for k, known in enumerate(shape)]
        starts: list[Dim] = [0] * len(dims)
        sizes, steps = list(dims), [1] * len(dims)
        result = view.outputs[0].shape
        for k, item in rest:
            i = item.position
            if item.shrink:
                starts[k], sizes[k] = _from_front(ctx, begins[i], dims[k]), 1
                continue
            known = -1 if result is None else result[item.place]
            begin, end = None if item.from_start else begins[i], None if item.to_end else ends[i]
            starts[k], sizes[k] = _range(ctx, begin, end, strides[i], dims[k], known)
            steps[k] = strides[i]
        tensor = cut(ctx, tensor, starts, sizes, steps)
    tensor = squeeze(ctx, tensor, [held_axis(a, len(shape), perm) for a in gone])
    where, after = insert_axes(drop_axes(perm, gone), new)
    ctx.set(view, 0, unsqueeze(ctx, tensor, where), after)


def _take_one(ctx: TensorRtContext, tensor: Any, axis: int, position: Dim, size: int) -> Any:
    """Return one element along an axis by a gather: it needs no other dimension, and takes positions of any tensor.

    Args:
        size: the dimension, negative if it is not known.
    """
    if not isinstance(position, int) or position < 0:
        position = _from_front(ctx, position, dim_of(ctx, tensor, axis, size))
    return take(ctx, tensor, axis, vector(ctx, [position]), 1)


def _takes_all(item: Item, begins: list[Dim], ends: list[Dim], strides: list[Dim], size: int) -> bool:
    """Tell whether an item is a plain `:`, written as such or by bounds that are a whole axis of a known size."""
    if item.shrink or strides[item.position] != 1:
        return False
    begin, end = begins[item.position], ends[item.position]
    from_start = item.from_start or (isinstance(begin, int) and begin == 0)
    return from_start and (item.to_end or (isinstance(end, int) and 0 <= size <= end))


def _from_front(ctx: TensorRtContext, position: Dim, size: Dim) -> Dim:
    """Return a position with a negative one counted from the end."""
    if isinstance(position, int):
        return position if position >= 0 else plus(ctx, size, position)
    return minus(ctx, position, times(ctx, _sign(ctx, position), size))


def _sign(ctx: TensorRtContext, value: Dim) -> Dim:
    """Return -1 for what is negative, else 0."""
    return larger(ctx, smaller(ctx, value, 0), -1)


def _range(
    ctx: TensorRtContext, begin: Dim | None, end: Dim | None, stride: Dim, size: Dim, known: int
) -> tuple[Dim, Dim]:
    """Return where `[begin:end:stride]` starts in a dimension, and how many elements it takes.

    Args:
        begin, end: None: that end of the dimension from which, or to which, the stride goes.
        known: the number of elements where TensorFlow knows it, else negative.
    """
    # Positions are within [low, low + size]: 0 to size going forwards, -1 to size - 1 going backwards.
    low = _sign(ctx, stride)
    high = plus(ctx, size, low)

    def within(position: Dim) -> Dim:
        front = _from_front(ctx, position, size)
        if position == 0 and low == 0:
            return 0
        if isinstance(position, int) and position >= 0:
            return smaller(ctx, front, high)
        if isinstance(position, int) and isinstance(stride, int):
            return larger(ctx, front, low)
        return smaller(ctx, larger(ctx, front, low), high)

    # Going backwards, the start of it all is high and the end low.
    start = _either(ctx, low, 0, high) if begin is None else within(begin)
    stop = _either(ctx, low, size, -1) if end is None else within(end)
    count = known if known >= 0 else _count(ctx, start, stop, stride)
    if count == 0:
        return 0, 0
    return start if low == 0 else larger(ctx, start, 0), count  # TensorRT wants no negative start, of nothing even


def _count(ctx: TensorRtContext, start: Dim, stop: Dim, stride: Dim) -> Dim:
    """Return ceil((stop - start) / stride), at least 0."""
    if stride != 1:
        return larger(ctx, minus(ctx, 0, floor_div(ctx, minus(ctx, start, stop), stride)), 0)
    return stop if start == 0 else larger(ctx, minus(ctx, stop, start), 0)


def _either(ctx: TensorRtContext, low: Dim, forwards: Dim, backwards: Dim) -> Dim:
    """Return one value where `low` is 0, the other where it is -1."""
    if isinstance(low, int):
        return backwards if low else forwards
    return plus(ctx, forwards, times(ctx, low, minus(ctx, forwards, backwards)))


CONVERTERS = (strided_slice,)
