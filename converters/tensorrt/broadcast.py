"""Broadcasting to a shape, and shapes that broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfgraft.converters.tensorrt.context import INTS, PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, larger, minus, smaller
from tfgraft.converters.tensorrt.emit import binary, concat, select, unsqueeze
from tfgraft.converters.tensorrt.measure import held_dims, repeat, values_of
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def _check_rank(view: NodeView) -> Support:
    if view.outputs[0].rank is None:
        return Unsupported("unknown-rank", "BroadcastTo needs to know the rank of its result.", "input 1")
    return SUPPORTED


@converter(
    "BroadcastTo",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, known_ranks=(0,)),
    check=_check_rank,
)
def broadcast_to(ctx: TensorRtContext, view: NodeView) -> None:
    """TF BroadcastTo -> a slice with stride 0 where a dimension of size one is repeated."""
    known = view.outputs[0].shape or ()
    added = len(known) - view.known_rank(0)
    tensor = ctx.get(view, 0)
    sizes = [1] * added + held_dims(ctx, view, 0, tensor, None)
    if all(d >= 0 for d in known):
        wanted: list[Dim] = list(known)
    else:
        values = values_of(ctx, view, 1, len(known))
        wanted = [d if d >= 0 else value for d, value in zip(known, values, strict=True)]
    ctx.set(view, 0, repeat(ctx, unsqueeze(ctx, tensor, range(added)), wanted, [_stride(ctx, d) for d in sizes]))


def _stride(ctx: TensorRtContext, size: Dim) -> Dim:
    return larger(ctx, smaller(ctx, minus(ctx, size, 1), 1), 0)


def _check_lengths(view: NodeView) -> Support:
    for i in (0, 1):
        shape = view.shape(i)
        if shape is None or shape[0] < 0:
            return Unsupported("unknown-dim", "BroadcastArgs needs to know how long its inputs are.", f"input {i}")
    return SUPPORTED


@converter("BroadcastArgs", engine="tensorrt", spec=OpSpec(dtypes=INTS), check=_check_lengths)
def broadcast_args(ctx: TensorRtContext, view: NodeView) -> None:
    """TF BroadcastArgs -> the second shape where the first one's dimension is one."""
    lengths = [(view.shape(i) or (0,))[0] for i in (0, 1)]
    first, second = (_padded(ctx, ctx.get(view, i), max(lengths) - n) for i, n in enumerate(lengths))
    one = ctx.const(np.ones(1), view.dtype())
    ctx.set(view, 0, select(ctx, binary(ctx, "EQUAL", first, one), second, first))


def _padded(ctx: TensorRtContext, vector: Any, missing: int) -> Any:
    if missing == 0:
        return vector
    return concat(ctx, [ctx.const(np.ones(missing), ctx.dtype(vector)), vector], 0)


CONVERTERS = (broadcast_to, broadcast_args)
