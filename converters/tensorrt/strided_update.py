"""TensorStridedSliceUpdate: `x[a:b:c, i, ...] = value`, as a new tensor."""

from __future__ import annotations

from math import prod
from types import EllipsisType
from typing import TypeAlias

import numpy as np

from tfgraft.converters.tensorrt.context import INTS, PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.emit import reshape
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_Item: TypeAlias = int | slice | EllipsisType | None


def _brackets(view: NodeView) -> tuple[_Item, ...]:
    """Return what numpy takes in brackets for the bounds and masks of a node."""
    begins, ends, strides = (view.known_const(i).tolist() for i in (1, 2, 3))

    def is_set(mask: str, i: int) -> bool:
        return bool(int(view.attr(f"{mask}_mask", 0)) >> i & 1)

    items: list[_Item] = []
    for i, (begin, end, stride) in enumerate(zip(begins, ends, strides, strict=True)):
        if is_set("ellipsis", i):
            items.append(...)
        elif is_set("new_axis", i):
            items.append(None)
        elif is_set("shrink_axis", i):
            items.append(begin)
        else:
            items.append(slice(None if is_set("begin", i) else begin, None if is_set("end", i) else end, stride))
    return tuple(items)


def _check(view: NodeView) -> Support:
    if not view.inputs[0].info.is_static:
        return Unsupported(
            "unknown-dim", "TensorStridedSliceUpdate needs every dimension.", "input 0", "Give input_shapes."
        )
    return SUPPORTED


@converter(
    "TensorStridedSliceUpdate",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS, 2: INTS, 3: INTS}, constants=(1, 2, 3), known_ranks=(0,)),
    check=_check,
)
def strided_update(ctx: TensorRtContext, view: NodeView) -> None:
    """TF TensorStridedSliceUpdate -> scatter ND at the places that the same slice of 0, 1, 2, ... names."""
    shape = view.shape(0) or ()
    places = np.arange(prod(shape)).reshape(shape)[_brackets(view)].reshape(-1, 1)
    flat, value = reshape(ctx, ctx.get(view, 0), [-1]), reshape(ctx, ctx.get(view, 4), [-1])
    result = ctx.add("scatter", flat, ctx.const(places), value, ctx.trt.ScatterMode.ND)
    ctx.set(view, 0, reshape(ctx, result, shape))


CONVERTERS = (strided_update,)
