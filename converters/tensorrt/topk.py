"""The largest values and where they are: TopK and the arg-reductions."""

from __future__ import annotations

from tfgraft.converters.orders import const_axes, drop_axes, held_axes, held_axis
from tfgraft.converters.tensorrt.context import INTS, NUMERIC, PLAIN, SMALL, TensorRtContext
from tfgraft.converters.tensorrt.counting import count
from tfgraft.converters.tensorrt.dims import dims_of, minus
from tfgraft.converters.tensorrt.emit import binary, like, reduce, reshape, select, squeeze, unsqueeze
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_MOST = 3840
"""The largest k that TensorRT takes."""
_LAST = 4
"""TensorRT's documentation promises TopK over one of the last four dimensions only."""


def _check(view: NodeView) -> Support:
    k = view.const(1)
    if k is not None and int(k) > _MOST:
        return Unsupported("attribute", f"TensorRT's TopK takes k up to {_MOST}, not {int(k)}.", "input 1")
    return SUPPORTED


@converter(
    "TopKV2",
    engine="tensorrt",
    spec=OpSpec(dtypes=NUMERIC | SMALL, input_dtypes={1: INTS}, output_dtypes={1: INTS}, known_ranks=(0,)),
    check=_check,
    notes="k up to 3840; TensorRT does not say where NaN comes, nor which of equal values comes first.",
)
def topk(ctx: TensorRtContext, view: NodeView) -> None:
    """TF TopKV2 (over the last dimension) -> TopK; `k` may be computed. The result is sorted in any case."""
    rank, perm = view.known_rank(), ctx.perm_of(view, 0)
    if held_axis(-1, rank, perm) < rank - _LAST:
        perm = None
    x = ctx.get(view, 0, perm)
    new = [0] if rank == 1 else []  # it takes no vectors
    x, axis = unsqueeze(ctx, x, new), held_axis(-1, rank, perm) + len(new)
    k = view.const(1)
    computed = {} if k is not None else {1: reshape(ctx, ctx.cast(ctx.get(view, 1), "int32"), ())}
    most = ctx.trt.TopKOperation.MAX
    values, indices = ctx.add("topk", x, most, 1 if k is None else int(k), 1 << axis, inputs=computed, outputs=2)
    for port, result in enumerate((values, ctx.cast(indices, view.outputs[1].dtype))):
        ctx.set(view, port, squeeze(ctx, result, new), perm)


@converter(
    "ArgMax",
    "ArgMin",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, output_dtypes={0: INTS}, known_ranks=(0,), constants=(1,)),
    notes="The first of equal values. With NaN the place is undefined, but a valid one.",
)
def arg_reduction(ctx: TensorRtContext, view: NodeView) -> None:
    """TF ArgMax, ArgMin -> the least of the places where the extreme value is.

    TensorRT's TopK would not promise the first of equal values.
    """
    perm, axes = ctx.perm_of(view, 0), const_axes(view, 1)
    (axis,) = held_axes(axes, perm)
    x = ctx.get(view, 0, perm)
    if view.dtype() == "bool":
        x = ctx.cast(x, "int32")
    size, out = dims_of(ctx, x)[axis], view.outputs[0].dtype
    places = count(ctx, size, out, len(x.shape), axis)
    last = minus(ctx, size, 1)
    if isinstance(last, int):
        other = like(ctx, places, last)
    else:
        other = reshape(ctx, ctx.cast(last, out), (1,) * len(x.shape))
    extreme = reduce(ctx, view.op[3:].upper(), x, [axis], True)
    found = select(ctx, binary(ctx, "EQUAL", x, extreme), places, other)
    ctx.set(view, 0, reduce(ctx, "MIN", found, [axis], False), drop_axes(perm, axes))


CONVERTERS = (topk, arg_reduction)
