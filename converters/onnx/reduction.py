"""Reductions over axes, arg-reductions and running sums."""

from __future__ import annotations

from tfgraft.converters.onnx.carrier import carried
from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import Perm, const_axes, drop_axes, held_axes
from tfgraft.graph.dtypes import BOOL, FLOATS, INTS, NUMERIC, PLAIN
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_AXES = {1: INTS}
_SUMMED = FLOATS | {"int32", "int64"}
"""Types that ReduceSum and its like have kernels for; narrower integers wrap the same when cast back."""
_COMPARED = FLOATS | {"int8", "int32", "int64", "uint8"}
_ONNX = {
    "Sum": "ReduceSum",
    "Prod": "ReduceProd",
    "Mean": "ReduceMean",
    "EuclideanNorm": "ReduceL2",
    "Max": "ReduceMax",
    "Min": "ReduceMin",
    "All": "ReduceMin",
    "Any": "ReduceMax",
}


def _reduce(ctx: OnnxContext, view: NodeView, native: frozenset[str]) -> None:
    perm = ctx.perm_of(view, 0)
    axes = const_axes(view, 1)
    keep = bool(view.attr("keep_dims", False))
    value = ctx.get(view, 0, perm)
    if not axes:
        ctx.set(view, 0, ctx.node("Abs", [value]) if view.op == "EuclideanNorm" else value, perm)
        return
    after = perm if keep else drop_axes(perm, axes)
    if view.op == "Mean" and view.dtype() == "float32" and _is_global_pool(axes, perm):
        # The one mean that ONNX Runtime computes in its blocked layout, between convolutions.
        result = ctx.node("GlobalAveragePool", [value])
        if not keep:
            result = ctx.node("Squeeze", [result, ctx.ints(held_axes(axes, perm))])
    else:
        on = ctx.ints(held_axes(axes, perm))
        result = carried(
            ctx, view.dtype(), native, [value], lambda x: ctx.node(_ONNX[view.op], [*x, on], keepdims=int(keep))
        )
    ctx.set(view, 0, result, after)


def _is_global_pool(axes: list[int], perm: Perm | None) -> bool:
    return perm is not None and len(perm) > 2 and list(perm[2:]) == sorted(axes)


@converter("Sum", "Prod", engine="onnx", spec=OpSpec(dtypes=NUMERIC, input_dtypes=_AXES, constants=(1,)))
def reduce_sum(ctx: OnnxContext, view: NodeView) -> None:
    """TF Sum, Prod -> ReduceSum, ReduceProd."""
    _reduce(ctx, view, _SUMMED)


@converter(
    "Mean",
    "EuclideanNorm",
    engine="onnx",
    spec=OpSpec(dtypes=FLOATS, input_dtypes=_AXES, constants=(1,)),
    notes="The mean of nothing is 0, not NaN.",
)
def reduce_mean(ctx: OnnxContext, view: NodeView) -> None:
    """TF Mean, EuclideanNorm -> ReduceMean, ReduceL2."""
    _reduce(ctx, view, FLOATS)


@converter(
    "Max",
    "Min",
    engine="onnx",
    spec=OpSpec(dtypes=NUMERIC - {"uint64"}, input_dtypes=_AXES, constants=(1,)),
    notes="NaN wins in TensorFlow; ONNX Runtime may pass over it.",
)
def reduce_max(ctx: OnnxContext, view: NodeView) -> None:
    """TF Max, Min -> ReduceMax, ReduceMin."""
    _reduce(ctx, view, _COMPARED)


@converter("All", "Any", engine="onnx", spec=OpSpec(dtypes=BOOL, input_dtypes=_AXES, constants=(1,)))
def reduce_all(ctx: OnnxContext, view: NodeView) -> None:
    """TF All, Any -> the least and the largest of bytes."""
    _reduce(ctx, view, _COMPARED)


@converter(
    "ArgMax",
    "ArgMin",
    engine="onnx",
    spec=OpSpec(
        dtypes=PLAIN - {"uint64"},
        input_dtypes=_AXES,
        output_dtypes={0: frozenset({"int16", "int32", "int64", "uint16"})},
        constants=(1,),
    ),
    notes="TensorFlow passes over NaN; ONNX Runtime may give its place.",
)
def arg_max(ctx: OnnxContext, view: NodeView) -> None:
    """TF ArgMax, ArgMin -> ArgMax, ArgMin; the first of equal values."""
    perm = ctx.perm_of(view, 0)
    axes = const_axes(view, 1)
    (axis,) = held_axes(axes, perm)
    value = ctx.get(view, 0, perm)
    result = carried(
        ctx, view.dtype(), _COMPARED, [value], lambda x: ctx.node(view.op, x, axis=axis, keepdims=0), back=False
    )
    out = view.outputs[0].dtype
    ctx.set(view, 0, result if out == "int64" else ctx.cast(result, out), drop_axes(perm, axes))


@converter("Cumsum", engine="onnx", spec=OpSpec(dtypes=NUMERIC, input_dtypes={1: INTS}, constants=(1,)))
def cumsum(ctx: OnnxContext, view: NodeView) -> None:
    """TF Cumsum -> CumSum."""
    perm = ctx.perm_of(view, 0)
    (axis,) = held_axes(const_axes(view, 1), perm)
    exclusive, reverse = (int(view.attr(name, False)) for name in ("exclusive", "reverse"))
    on = ctx.const(axis, "int64")
    value = ctx.get(view, 0, perm)
    native = frozenset({"float32", "float64", "int32", "int64"})

    def emit(values: list[str]) -> str:
        return ctx.node("CumSum", [*values, on], exclusive=exclusive, reverse=reverse)

    ctx.set(view, 0, carried(ctx, view.dtype(), native, [value], emit), perm)


CONVERTERS = (reduce_sum, reduce_mean, reduce_max, reduce_all, arg_max, cumsum)
