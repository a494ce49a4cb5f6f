"""Reductions over constant axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgraft.converters.orders import const_axes, drop_axes, held_axes
from tfgraft.converters.tensorrt.context import BOOL, INTS, NUMERIC, SMALL, TensorRtContext
from tfgraft.converters.tensorrt.dims import dims_of, product
from tfgraft.converters.tensorrt.emit import binary, like, reduce, reshape
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_AXES = {1: INTS}
_OPERATIONS = {"Sum": "SUM", "Prod": "PROD", "Max": "MAX", "Min": "MIN", "Mean": "AVG", "All": "MIN", "Any": "SUM"}
"""TensorRT's `ReduceOperation` by TF op. The minimum of no 0s and 1s at all is the largest int32, and so it is true."""


@converter(
    "Sum",
    "Prod",
    "Mean",
    engine="tensorrt",
    spec=OpSpec(dtypes=NUMERIC, input_dtypes=_AXES, known_ranks=(0,), constants=(1,)),
)
def reduction(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Sum, Prod, Mean -> a reduction; of nothing, it gives what TensorFlow gives."""
    _reduce(ctx, view)


@converter(
    "Max",
    "Min",
    engine="tensorrt",
    spec=OpSpec(dtypes=NUMERIC | SMALL, input_dtypes=_AXES, known_ranks=(0,), constants=(1,)),
    notes="What they make of NaN, TensorRT does not say.",
)
def extreme(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Max, Min -> a reduction; of nothing, it gives the least or the largest number of the type."""
    _reduce(ctx, view)


@converter(
    "All", "Any", engine="tensorrt", spec=OpSpec(dtypes=BOOL, input_dtypes=_AXES, known_ranks=(0,), constants=(1,))
)
def all_or_any(ctx: TensorRtContext, view: NodeView) -> None:
    """TF All, Any -> the minimum, and the sum, of 0s and 1s."""
    _reduce(ctx, view)


def _reduce(ctx: TensorRtContext, view: NodeView) -> None:
    perm, axes = ctx.perm_of(view, 0), const_axes(view, 1)
    keep = bool(view.attr("keep_dims", False))
    value, on = ctx.get(view, 0, perm), held_axes(axes, perm)
    if view.op == "Mean" and view.dtype() in INTS:
        result = _integer_mean(ctx, value, on, keep)
    elif view.dtype() == "bool":
        result = ctx.cast(reduce(ctx, _OPERATIONS[view.op], ctx.cast(value, "int32"), on, keep), "bool")
    else:
        result = reduce(ctx, _OPERATIONS[view.op], value, on, keep)
    if view.dtype() in SMALL:
        limits = np.iinfo(view.dtype())  # int32 carries it, whose own limit is the extreme of nothing
        limit = limits.min if view.op == "Max" else limits.max
        result = binary(ctx, view.op.upper(), result, like(ctx, result, limit))
    ctx.set(view, 0, result, perm if keep else drop_axes(perm, axes))


def _integer_mean(ctx: TensorRtContext, x: Any, axes: Sequence[int], keep: bool) -> Any:
    """Divide the sum by the count, rounding towards zero as TensorFlow does."""
    total = reduce(ctx, "SUM", x, axes, keep)
    dims = dims_of(ctx, x)
    count = product(ctx, [dims[a] for a in axes])
    if isinstance(count, int):
        return binary(ctx, "DIV", total, like(ctx, total, count))
    return binary(ctx, "DIV", total, reshape(ctx, ctx.cast(count, ctx.dtype(x)), (1,) * len(total.shape)))


CONVERTERS = (reduction, extreme, all_or_any)
