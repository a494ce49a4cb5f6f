"""Taking parts of a tensor by position: slices, splits, reversal, rolling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfgraft.converters.orders import Perm, const_axes, drop_axes, held_axes, plain_axes
from tfgraft.converters.tensorrt.context import INTS, PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, floor_div, larger, minus, plus, smaller, times
from tfgraft.converters.tensorrt.emit import cut, squeeze
from tfgraft.converters.tensorrt.measure import dim_of, held_dims, held_shape, take, values_of
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_COMPUTED = "Computed bounds must be computed from shapes and integer inputs."


@converter(
    "Slice",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS, 2: INTS}, known_ranks=(0,)),
    notes=_COMPUTED,
)
def slice_(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Slice -> slice; a size of -1 takes all that is left."""
    perm, rank = ctx.perm_of(view, 0), view.known_rank(0)
    tensor = ctx.get(view, 0, perm)
    begins, counts = values_of(ctx, view, 1, rank), values_of(ctx, view, 2, rank)
    shape, result = held_shape(view, 0, None), view.outputs[0].shape or (-1,) * rank
    starts: list[Dim] = []
    sizes: list[Dim] = []
    for held, d in enumerate(perm or range(rank)):
        size = result[d] if result[d] >= 0 else counts[d]
        starts.append(begins[d])
        if isinstance(size, int) and size >= 0:
            sizes.append(size)
            if not isinstance(begins[d], int):
                starts[-1] = 0
                if size != shape[d]:
                    tensor = take(ctx, tensor, held, begins[d], size)
        else:
            rest = minus(ctx, dim_of(ctx, tensor, held, shape[d]), begins[d])
            sizes.append(rest if isinstance(counts[d], int) else _or_rest(ctx, counts[d], rest))
    if any(s != 0 for s in starts) or sizes != list(tensor.shape):
        tensor = cut(ctx, tensor, starts, sizes)
    ctx.set(view, 0, tensor, perm)


def _or_rest(ctx: TensorRtContext, count: Dim, rest: Dim) -> Dim:
    """Return a computed count, or the rest where it is -1."""
    negative = smaller(ctx, count, 0)
    return minus(ctx, count, times(ctx, negative, plus(ctx, rest, 1)))


def _split(
    ctx: TensorRtContext, view: NodeView, i: int, axis: int, sizes: Sequence[Dim]
) -> tuple[list[Any], Perm | None]:
    """Cut input `i` along TensorFlow's axis into parts of these sizes; return the parts and their order."""
    perm = ctx.perm_of(view, i)
    (held,) = held_axes([axis], perm)
    tensor = ctx.get(view, i, perm)
    if len(sizes) == 1:
        return [tensor], perm
    dims = held_dims(ctx, view, i, tensor, perm)
    parts: list[Any] = []
    at: Dim = 0
    for size in sizes:
        start: list[Dim] = [0] * len(dims)
        start[held] = at
        parts.append(cut(ctx, tensor, start, [*dims[:held], size, *dims[held + 1 :]]))
        at = plus(ctx, size, at)
    return parts, perm


def _size(ctx: TensorRtContext, view: NodeView, i: int, axis: int) -> Dim:
    """Return the size of input `i` along TensorFlow's axis."""
    perm = ctx.perm_of(view, i)
    (held,) = held_axes([axis], perm)
    return dim_of(ctx, ctx.get(view, i, perm), held, held_shape(view, i, None)[axis])


@converter(
    "Split", engine="tensorrt", spec=OpSpec(dtypes=PLAIN, input_dtypes={0: INTS}, constants=(0,), known_ranks=(1,))
)
def split(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Split -> slices of one size."""
    (axis,) = plain_axes([int(view.known_const(0).reshape(()))], view.rank(1))
    count = len(view.outputs)
    size = floor_div(ctx, _size(ctx, view, 1, axis), count)
    parts, perm = _split(ctx, view, 1, axis, [size] * count)
    for port, part in enumerate(parts):
        ctx.set(view, port, part, perm)


@converter(
    "SplitV",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS, 2: INTS}, constants=(1, 2), known_ranks=(0,)),
)
def split_v(ctx: TensorRtContext, view: NodeView) -> None:
    """TF SplitV -> slices; a size of -1 is what the others leave."""
    (axis,) = const_axes(view, 2)
    sizes: list[Dim] = [int(s) for s in view.known_const(1).reshape(-1)]
    if -1 in sizes:
        rest = sizes.index(-1)
        sizes[rest] = minus(ctx, _size(ctx, view, 0, axis), sum(sizes) + 1)
    parts, perm = _split(ctx, view, 0, axis, sizes)
    for port, part in enumerate(parts):
        ctx.set(view, port, part, perm)


@converter("Unpack", engine="tensorrt", spec=OpSpec(dtypes=PLAIN, known_ranks=(0,)))
def unpack(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Unpack -> slices, squeezed."""
    (axis,) = axes = plain_axes([int(view.attr("axis", 0))], view.rank(0))
    parts, perm = _split(ctx, view, 0, axis, [1] * len(view.outputs))
    for port, part in enumerate(parts):
        ctx.set(view, port, squeeze(ctx, part, held_axes(axes, perm)), drop_axes(perm, axes))


@converter(
    "ReverseV2", engine="tensorrt", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, constants=(1,), known_ranks=(0,))
)
def reverse(ctx: TensorRtContext, view: NodeView) -> None:
    """TF ReverseV2 -> a slice backwards."""
    perm = ctx.perm_of(view, 0)
    axes = held_axes(const_axes(view, 1), perm)
    tensor = ctx.get(view, 0, perm)
    if axes:
        dims = held_dims(ctx, view, 0, tensor, perm)
        starts = [last(ctx, d) if k in axes else 0 for k, d in enumerate(dims)]
        tensor = cut(ctx, tensor, starts, dims, [-1 if k in axes else 1 for k in range(len(dims))])
    ctx.set(view, 0, tensor, perm)


def last(ctx: TensorRtContext, size: Dim) -> Dim:
    """Return the position of the last element along a dimension; 0 if it has none, as TensorRT wants it."""
    return larger(ctx, minus(ctx, size, 1), 0)


@converter(
    "Roll",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS, 2: INTS}, constants=(2,), known_ranks=(0,)),
    notes="Computed shifts must be computed from shapes and integer inputs.",
)
def roll(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Roll -> a slice that starts elsewhere and goes around."""
    perm = ctx.perm_of(view, 0)
    axes = held_axes(const_axes(view, 2), perm)
    tensor = ctx.get(view, 0, perm)
    dims = held_dims(ctx, view, 0, tensor, perm)
    starts: list[Dim] = [0] * len(dims)
    for axis, shift in zip(axes, values_of(ctx, view, 1, len(axes)), strict=True):
        starts[axis] = minus(ctx, starts[axis], shift)
    # Within the dimension where that is known already: nothing may start before one that is empty.
    starts = [
        s % max(d, 1) if isinstance(s, int) and isinstance(d, int) else s for s, d in zip(starts, dims, strict=True)
    ]
    ctx.set(view, 0, cut(ctx, tensor, starts, dims, mode="WRAP"), perm)


CONVERTERS = (slice_, split, split_v, unpack, reverse, roll)
