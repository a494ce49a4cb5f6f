"""Joining and repeating: concatenation, stacking, tiling."""

from __future__ import annotations

import numpy as np

from tfgraft.converters.orders import Perm, held_axes, insert_axes, plain_axes
from tfgraft.converters.tensorrt.context import INTS, PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.dims import times
from tfgraft.converters.tensorrt.emit import concat, cut, unsqueeze
from tfgraft.converters.tensorrt.measure import held_dims, values_of
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def _first_perm(ctx: TensorRtContext, view: NodeView, indices: range) -> Perm | None:
    return next((p for p in (ctx.perm_of(view, i) for i in indices) if p is not None), None)


def _parts(view: NodeView) -> tuple[range, int]:
    """Return the inputs that are joined, and which one is the axis."""
    last = len(view.inputs) - 1
    return (range(last), last) if view.op == "ConcatV2" else (range(1, last + 1), 0)


def _check_concat(view: NodeView) -> Support:
    parts, axis = _parts(view)
    if not view.inputs[axis].is_constant:
        return Unsupported("not-constant", f"{view.op} needs a constant axis.", f"input {axis}")
    if view.outputs[0].rank is None:
        return Unsupported("unknown-rank", f"{view.op} needs the rank of its inputs.", f"input {parts[0]}")
    return SUPPORTED


@converter("ConcatV2", "Concat", engine="tensorrt", spec=OpSpec(dtypes=PLAIN), check=_check_concat)
def concat_(ctx: TensorRtContext, view: NodeView) -> None:
    """TF ConcatV2, Concat -> concatenation."""
    parts, axis_input = _parts(view)
    perm = _first_perm(ctx, view, parts)
    axes = plain_axes([int(view.known_const(axis_input).reshape(()))], view.outputs[0].rank)
    (axis,) = held_axes(axes, perm)
    ctx.set(view, 0, concat(ctx, [ctx.get(view, i, perm) for i in parts], axis), perm)


@converter("Pack", engine="tensorrt", spec=OpSpec(dtypes=PLAIN, known_ranks=(0,)))
def pack(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Pack -> unsqueeze and concatenation; constants are expanded by numpy."""
    parts = range(len(view.inputs))
    perm = _first_perm(ctx, view, parts)
    where, after = insert_axes(perm, plain_axes([int(view.attr("axis", 0))], view.outputs[0].rank))
    tensors = [
        ctx.const(np.expand_dims(ctx.array(view, i, perm), where[0]))
        if view.inputs[i].is_constant
        else unsqueeze(ctx, ctx.get(view, i, perm), where)
        for i in parts
    ]
    result = concat(ctx, tensors, where[0])
    if view.rank(0) == 0 and view.dtype() in INTS:
        known = [view.const(i) for i in parts]
        ctx.elements[result.name] = [t if k is None else int(k) for k, t in zip(known, tensors, strict=True)]
    ctx.set(view, 0, result, after)


@converter("Tile", engine="tensorrt", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, known_ranks=(0,)))
def tile(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Tile -> a slice that goes around."""
    perm, rank = ctx.perm_of(view, 0), view.known_rank(0)
    tensor, multiples = ctx.get(view, 0, perm), values_of(ctx, view, 1, rank)
    if any(m != 1 for m in multiples):
        held = multiples if perm is None else [multiples[d] for d in perm]
        sizes = [times(ctx, d, m) for d, m in zip(held_dims(ctx, view, 0, tensor, perm), held, strict=True)]
        tensor = cut(ctx, tensor, [0] * rank, sizes, mode="WRAP")
    ctx.set(view, 0, tensor, perm)


CONVERTERS = (concat_, pack, tile)
