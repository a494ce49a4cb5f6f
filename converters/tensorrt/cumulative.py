"""Running sums."""

from __future__ import annotations

import numpy as np

from tfgraft.converters.orders import const_axes, held_axes
from tfgraft.converters.tensorrt.context import INTS, NUMERIC, TensorRtContext
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter


@converter(
    "Cumsum",
    engine="tensorrt",
    spec=OpSpec(dtypes=NUMERIC, input_dtypes={1: INTS}, known_ranks=(0,), constants=(1,)),
)
def cumsum(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Cumsum -> cumulative sum."""
    perm = ctx.perm_of(view, 0)
    (axis,) = held_axes(const_axes(view, 1), perm)
    exclusive, reverse = (bool(view.attr(name, False)) for name in ("exclusive", "reverse"))
    add = ctx.trt.CumulativeOperation.SUM
    value = ctx.get(view, 0, perm)
    ctx.set(view, 0, ctx.add("cumulative", value, ctx.const(np.array(axis, "int32")), add, exclusive, reverse), perm)


CONVERTERS = (cumsum,)
