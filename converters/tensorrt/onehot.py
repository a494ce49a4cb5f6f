"""One-hot vectors."""

from __future__ import annotations

from tfgraft.converters.tensorrt.context import INTS, PLAIN, SMALL, TensorRtContext, carrier
from tfgraft.converters.tensorrt.counting import count
from tfgraft.converters.tensorrt.dims import elements
from tfgraft.converters.tensorrt.emit import binary, reshape, select, unsqueeze
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter


@converter(
    "OneHot",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={0: INTS | SMALL, 1: INTS}, ranks={0: tuple(range(8))}),
    notes="Indices out of range give the off value, as in TensorFlow.",
)
def one_hot(ctx: TensorRtContext, view: NodeView) -> None:
    """TF OneHot -> a comparison with 0, 1, 2, ...: what TensorRT's OneHot does out of range is not TensorFlow's."""
    rank = view.known_rank() + 1
    axis = int(view.attr("axis", -1))
    axis = rank - 1 if axis == -1 else axis
    depth = view.const(1)
    if depth is not None:
        size = int(depth)
    else:
        (size,) = elements(ctx, reshape(ctx, ctx.get(view, 1), (1,)), 1)
    indices = unsqueeze(ctx, ctx.get(view, 0), [axis])
    hit = binary(ctx, "EQUAL", indices, count(ctx, size, carrier(view.dtype()), rank, axis))
    on, off = (unsqueeze(ctx, ctx.get(view, i), range(rank)) for i in (2, 3))
    ctx.set(view, 0, select(ctx, hit, on, off))


CONVERTERS = (one_hot,)
