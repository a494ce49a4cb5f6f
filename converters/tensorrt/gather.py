"""Taking by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfgraft.converters.orders import drop_axes, held_axes, plain_axes
from tfgraft.converters.tensorrt.context import INTS, PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.counting import count
from tfgraft.converters.tensorrt.dims import dims_of
from tfgraft.converters.tensorrt.emit import unsqueeze
from tfgraft.converters.tensorrt.measure import held_dims, repeat
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

RANGE = "TensorFlow refuses indices out of range when it runs; what TensorRT gives for them is not defined."
ERROR_POLICY = {"bad_indices_policy": ("", "DEFAULT", "ERROR")}


def depth_of(view: NodeView, i: int) -> int:
    """Return how many dimensions each of the index tuples in input `i` names, -1 if it is not known."""
    shape = view.shape(i)
    return shape[-1] if shape else -1


def check_depth(i: int) -> Any:
    """Return a check that the depth of the index tuples in input `i` is known."""

    def check(view: NodeView) -> Support:
        if depth_of(view, i) < 0:
            return Unsupported("unknown-dim", f"{view.op} needs the last dimension of the indices.", f"input {i}")
        return SUPPORTED

    return check


@converter(
    "GatherV2",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS, 2: INTS}, constants=(2,), known_ranks=(0, 1)),
    notes=RANGE,
)
def gather_v2(ctx: TensorRtContext, view: NodeView) -> None:
    """TF GatherV2 -> gather; with batches, gather ND along the dimension that follows them."""
    (axis,) = plain_axes([int(view.known_const(2).reshape(()))], view.rank(0))
    batches = int(view.attr("batch_dims", 0))
    if batches < 0:
        batches += view.known_rank(1)
    if batches:
        _gather_batches(ctx, view, axis, batches)
    else:
        _gather(ctx, view, axis)


@converter(
    "Gather", engine="tensorrt", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, known_ranks=(0, 1)), notes=RANGE
)
def gather(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Gather -> gather along the first axis."""
    _gather(ctx, view, 0)


def _gather(ctx: TensorRtContext, view: NodeView, axis: int) -> None:
    rank = view.known_rank(1)
    perm = ctx.perm_of(view, 0) if rank in (0, 1) else None
    (held,) = held_axes([axis], perm)
    result = ctx.add("gather", ctx.get(view, 0, perm), ctx.get(view, 1), held)
    ctx.set(view, 0, result, drop_axes(perm, [axis]) if rank == 0 else perm)


def _gather_batches(ctx: TensorRtContext, view: NodeView, axis: int, batches: int) -> None:
    """Gather by index tuples of one: the axis is brought before what lies between it and the batches."""
    rank, more = view.known_rank(0), view.known_rank(1) - batches
    between = list(range(batches, axis))
    rest = list(range(axis + 1, rank))
    tensor = ctx.transpose(ctx.get(view, 0), [*range(batches), axis, *between, *rest])
    indices = unsqueeze(ctx, ctx.get(view, 1), [view.known_rank(1)])
    result = ctx.add("gather_v2", tensor, indices, ctx.trt.GatherMode.ND, num_elementwise_dims=batches)
    places = list(range(batches + more, batches + more + len(between)))
    after = list(range(batches + more + len(between), rank - 1 + more))
    ctx.set(view, 0, ctx.transpose(result, [*range(batches), *places, *range(batches, batches + more), *after]))


@converter(
    "GatherNd",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, known_ranks=(0, 1), attrs=ERROR_POLICY),
    check=check_depth(1),
    notes=RANGE,
)
def gather_nd(ctx: TensorRtContext, view: NodeView) -> None:
    """TF GatherNd -> gather ND; the whole tensor for each index tuple that is empty."""
    if depth_of(view, 1):
        ctx.set(view, 0, ctx.add("gather_v2", ctx.get(view, 0), ctx.get(view, 1), ctx.trt.GatherMode.ND))
        return
    tensor = ctx.get(view, 0)
    added = dims_of(ctx, ctx.get(view, 1))[:-1]
    dims = held_dims(ctx, view, 0, tensor, None)
    strides = [0] * len(added) + [1] * len(dims)
    ctx.set(view, 0, repeat(ctx, unsqueeze(ctx, tensor, range(len(added))), [*added, *dims], strides))


@converter("InvertPermutation", engine="tensorrt", spec=OpSpec(dtypes=INTS, ranks={0: (1,)}))
def invert_permutation(ctx: TensorRtContext, view: NodeView) -> None:
    """TF InvertPermutation -> positions, scattered to where they are sent; of a constant, a constant."""
    known = view.const(0)
    if known is not None:
        ctx.set(view, 0, ctx.const(np.argsort(known), view.dtype()))
        return
    tensor = ctx.get(view, 0)
    (size,) = held_dims(ctx, view, 0, tensor, None)
    positions = count(ctx, size, view.dtype(), 1, 0)
    indices = unsqueeze(ctx, tensor, [1])
    ctx.set(view, 0, ctx.add("scatter", tensor, indices, positions, ctx.trt.ScatterMode.ND))


CONVERTERS = (gather_v2, gather, gather_nd, invert_permutation)
