"""Padding: with a number, by reflection, by symmetry."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.orders import Perm
from tfgraft.converters.tensorrt.context import INTS, PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, larger, minus, plus
from tfgraft.converters.tensorrt.emit import concat, cut
from tfgraft.converters.tensorrt.measure import held_dims, values_of
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

Pairs = list[tuple[Dim, Dim]]
"""What is before and after each dimension."""
_SPEC = OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, known_ranks=(0,))
_NOTES = "Computed paddings must be computed from shapes and integer inputs."


def pairs_of(ctx: TensorRtContext, view: NodeView, i: int, count: int) -> Pairs:
    """Return integer input `i`, of shape [count, 2], as pairs."""
    values = values_of(ctx, view, i, 2 * count)
    return list(zip(values[::2], values[1::2], strict=True))


def padded(
    ctx: TensorRtContext, tensor: Any, dims: list[Dim], pairs: Pairs, mode: str = "FILL", value: Any = None
) -> Any:
    """Add a slice that goes beyond the edges of a tensor; nothing if all pairs are zero.

    Args:
        dims, pairs: in the order of the tensor's dimensions.
        mode: a member of `SampleMode`.
        value: what is beyond the edges in mode FILL, a scalar of the tensor's type; default zero.
    """
    if all(pair == (0, 0) for pair in pairs):
        return tensor
    starts = [minus(ctx, 0, before) for before, _ in pairs]
    sizes = [plus(ctx, plus(ctx, d, before), after) for d, (before, after) in zip(dims, pairs, strict=True)]
    return cut(ctx, tensor, starts, sizes, mode=mode, fill=value)


def _held(ctx: TensorRtContext, view: NodeView) -> tuple[Any, list[Dim], Pairs, Perm | None]:
    """Return the tensor to be padded, its dimensions and its paddings, all in the order in which it is held."""
    perm, rank = ctx.perm_of(view, 0), view.known_rank(0)
    tensor, pairs = ctx.get(view, 0, perm), pairs_of(ctx, view, 1, rank)
    return tensor, held_dims(ctx, view, 0, tensor, perm), [pairs[d] for d in perm or range(rank)], perm


@converter("Pad", "PadV2", engine="tensorrt", spec=_SPEC, notes=_NOTES)
def pad(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Pad, PadV2 -> a slice that fills what is beyond the edges."""
    tensor, dims, pairs, perm = _held(ctx, view)
    value = ctx.get(view, 2) if view.op == "PadV2" else None
    ctx.set(view, 0, padded(ctx, tensor, dims, pairs, value=value), perm)


@converter("MirrorPad", engine="tensorrt", spec=_SPEC, notes=_NOTES)
def mirror_pad(ctx: TensorRtContext, view: NodeView) -> None:
    """TF MirrorPad -> a slice that reflects; by symmetry: both ends cut out backwards, joined to the tensor."""
    tensor, dims, pairs, perm = _held(ctx, view)
    if view.attr("mode") == "REFLECT":
        tensor = padded(ctx, tensor, dims, pairs, mode="REFLECT")
    else:
        for axis, pair in enumerate(pairs):
            if pair != (0, 0):
                tensor = _symmetric(ctx, tensor, dims, axis, pair)
                dims[axis] = plus(ctx, plus(ctx, dims[axis], pair[0]), pair[1])
    ctx.set(view, 0, tensor, perm)


def _symmetric(ctx: TensorRtContext, tensor: Any, dims: list[Dim], axis: int, pair: tuple[Dim, Dim]) -> Any:
    steps = [-1 if k == axis else 1 for k in range(len(dims))]

    def backwards(count: Dim, end: Dim) -> list[Any]:
        if count == 0:
            return []
        starts: list[Dim] = [0] * len(dims)
        starts[axis] = larger(ctx, minus(ctx, end, 1), 0)
        return [cut(ctx, tensor, starts, [*dims[:axis], count, *dims[axis + 1 :]], steps)]

    parts = [*backwards(pair[0], pair[0]), tensor, *backwards(pair[1], dims[axis])]
    return concat(ctx, parts, axis)


CONVERTERS = (pad, mirror_pad)
