"""Taking and putting by index: gathers, scatters, one-hot, and what finds indices."""

from __future__ import annotations

import numpy as np

from tfgraft.converters.onnx.axes import int64
from tfgraft.converters.onnx.carrier import carried, carrier
from tfgraft.converters.onnx.comparison import where as choose
from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.fill import counted, filled
from tfgraft.converters.orders import drop_axes, held_axes, plain_axes
from tfgraft.graph.dtypes import INTS, NUMERIC, PLAIN
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_INDEX = frozenset({"int32", "int64"})
_NEGATIVE = "TensorFlow refuses negative indices when it runs; ONNX Runtime counts them from the end."
_ERROR_POLICY = {"bad_indices_policy": ("", "DEFAULT", "ERROR")}


def _indices(ctx: OnnxContext, view: NodeView, i: int, wanted: frozenset[str] = _INDEX) -> str:
    """Return the indices, in a type that the op takes."""
    return ctx.get(view, i) if view.dtype(i) in wanted else int64(ctx, view, i)


def _batch_dims(view: NodeView) -> int | None:
    count = int(view.attr("batch_dims", 0))
    rank = view.rank(1)
    if count >= 0:
        return count
    return None if rank is None else count + rank


def _check_gather(view: NodeView) -> Support:
    count = _batch_dims(view)
    if count == 0:
        return SUPPORTED
    rank = view.rank(0)
    axis = int(view.known_const(2).reshape(()))
    if count is None or (axis < 0 and rank is None):
        i = 1 if count is None else 0
        return Unsupported("unknown-rank", "GatherV2 with batch_dims needs the ranks of its inputs.", f"input {i}")
    if axis + (rank or 0) * (axis < 0) != count:
        return Unsupported(
            "attribute",
            f"GatherV2 with batch_dims is taken only where axis is {count}, too.",
            "attr batch_dims",
        )
    return SUPPORTED


@converter(
    "GatherV2",
    engine="onnx",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS, 2: INTS}, constants=(2,)),
    check=_check_gather,
    notes=_NEGATIVE,
)
def gather_v2(ctx: OnnxContext, view: NodeView) -> None:
    """TF GatherV2 -> Gather, or GatherND for batches."""
    count = _batch_dims(view)
    if count:
        indices = ctx.node("Unsqueeze", [_indices(ctx, view, 1, frozenset({"int64"})), ctx.ints([-1])])
        ctx.set(view, 0, ctx.node("GatherND", [ctx.get(view, 0), indices], batch_dims=count))
    else:
        _gather(ctx, view, int(view.known_const(2).reshape(())))


@converter("Gather", engine="onnx", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}), notes=_NEGATIVE)
def gather(ctx: OnnxContext, view: NodeView) -> None:
    """TF Gather -> Gather along the first axis."""
    _gather(ctx, view, 0)


def _gather(ctx: OnnxContext, view: NodeView, axis: int) -> None:
    perm = ctx.perm_of(view, 0) if view.rank(1) in (0, 1) else None
    axes = plain_axes([axis], view.rank(0))
    (held,) = held_axes(axes, perm)
    result = ctx.node("Gather", [ctx.get(view, 0, perm), _indices(ctx, view, 1)], axis=held)
    ctx.set(view, 0, result, drop_axes(perm, axes) if view.rank(1) == 0 else perm)


@converter(
    "GatherNd",
    engine="onnx",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, attrs=_ERROR_POLICY),
    notes=_NEGATIVE,
)
def gather_nd(ctx: OnnxContext, view: NodeView) -> None:
    """TF GatherNd -> GatherND."""
    ctx.set(view, 0, ctx.node("GatherND", [ctx.get(view, 0), _indices(ctx, view, 1, frozenset({"int64"}))]))


_SCATTERED = NUMERIC - {"float16"}
"""Types that ScatterND has reductions for."""


@converter(
    "ScatterNd",
    engine="onnx",
    spec=OpSpec(dtypes=NUMERIC, input_dtypes={0: _INDEX, 2: _INDEX}, attrs=_ERROR_POLICY),
    notes=_NEGATIVE,
)
def scatter_nd(ctx: OnnxContext, view: NodeView) -> None:
    """TF ScatterNd -> ScatterND onto zeros; what meets at one index is added up."""
    int64_only, dtype = frozenset({"int64"}), view.dtype(1)
    shape, indices = _indices(ctx, view, 2, int64_only), _indices(ctx, view, 0, int64_only)

    def emit(updates: list[str]) -> str:
        zeros = filled(ctx, shape, 0, carrier(dtype, _SCATTERED))
        result: str = ctx.node("ScatterND", [zeros, indices, *updates], reduction="add")
        return result

    ctx.set(view, 0, carried(ctx, dtype, _SCATTERED, [ctx.get(view, 1)], emit))


_REDUCTIONS = {
    "TensorScatterUpdate": None,
    "TensorScatterAdd": "add",
    "TensorScatterSub": "add",
    "TensorScatterMax": "max",
    "TensorScatterMin": "min",
}


def _tensor_scatter(ctx: OnnxContext, view: NodeView, native: frozenset[str]) -> None:
    indices, dtype = _indices(ctx, view, 1, frozenset({"int64"})), view.dtype()

    def emit(values: list[str]) -> str:
        tensor, updates = values
        if view.op == "TensorScatterSub":
            updates = ctx.node("Sub", [ctx.const(0, carrier(dtype, native)), updates])
        result: str = ctx.node("ScatterND", [tensor, indices, updates], reduction=_REDUCTIONS[view.op])
        return result

    ctx.set(view, 0, carried(ctx, dtype, native, [ctx.get(view, 0), ctx.get(view, 2)], emit))


@converter(
    "TensorScatterUpdate",
    engine="onnx",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: _INDEX}, attrs=_ERROR_POLICY),
    notes=_NEGATIVE,
)
def tensor_scatter_update(ctx: OnnxContext, view: NodeView) -> None:
    """TF TensorScatterUpdate -> ScatterND."""
    _tensor_scatter(ctx, view, PLAIN)


@converter(
    "TensorScatterAdd",
    "TensorScatterSub",
    "TensorScatterMax",
    "TensorScatterMin",
    engine="onnx",
    spec=OpSpec(dtypes=NUMERIC, input_dtypes={1: _INDEX}, attrs=_ERROR_POLICY),
    notes=_NEGATIVE,
)
def tensor_scatter_reduce(ctx: OnnxContext, view: NodeView) -> None:
    """TF TensorScatterAdd, Sub, Max, Min -> ScatterND with a reduction."""
    _tensor_scatter(ctx, view, _SCATTERED)


def _check_one_hot(view: NodeView) -> Support:
    if int(view.attr("axis", -1)) != -1 and view.rank(0) is None:
        return Unsupported("unknown-rank", "OneHot on an axis that is not the last needs the rank.", "input 0")
    return SUPPORTED


@converter("OneHot", engine="onnx", spec=OpSpec(dtypes=PLAIN), check=_check_one_hot)
def one_hot(ctx: OnnxContext, view: NodeView) -> None:
    """TF OneHot -> a comparison with 0, 1, 2, ...: ONNX OneHot counts negative indices from the end, TensorFlow not."""
    axis = int(view.attr("axis", -1))
    depth, on, off = view.const(1), view.const(2), view.const(3)
    dtype = "int64" if view.dtype() == "int64" else "int32"
    indices = ctx.get(view, 0)
    if view.dtype() != dtype:
        indices = ctx.cast(indices, dtype)
    indices = ctx.node("Unsqueeze", [indices, ctx.ints([axis])])
    if depth is not None:
        classes = ctx.const(np.arange(int(depth)).astype(dtype))
    else:
        classes = counted(ctx, [ctx.const(0, "int64"), int64(ctx, view, 1), ctx.const(1, "int64")], dtype)
    if axis != -1:
        after = view.known_rank(0) - axis
        if after:
            classes = ctx.node("Unsqueeze", [classes, ctx.ints(range(1, after + 1))])
    hit = ctx.node("Equal", [indices, classes])
    out = view.dtype(2)
    if on is not None and off is not None and bool(on == 1) and bool(off == 0):
        result = hit if out == "bool" else ctx.cast(hit, out)
    else:
        result = choose(ctx, out, hit, ctx.get(view, 2), ctx.get(view, 3))
    ctx.set(view, 0, result)


@converter(
    "Where",
    engine="onnx",
    spec=OpSpec(dtypes=PLAIN, output_dtypes={0: frozenset({"int64"})}, ranks={0: (1, 2, 3, 4, 5, 6, 7, 8)}),
)
def where(ctx: OnnxContext, view: NodeView) -> None:
    """TF Where (indices of what is not zero) -> NonZero, transposed."""
    native = frozenset({"bool", "float32", "int32", "int64", "uint8"})
    dtype = view.dtype()
    value = ctx.get(view, 0)
    if dtype not in native:
        value = ctx.cast(value, "bool" if dtype == "float64" else carrier(dtype, native))
    ctx.set(view, 0, ctx.transpose(ctx.node("NonZero", [value]), (1, 0)))


@converter("InvertPermutation", engine="onnx", spec=OpSpec(dtypes=_INDEX))
def invert_permutation(ctx: OnnxContext, view: NodeView) -> None:
    """TF InvertPermutation -> positions, scattered to where they are sent."""
    permutation = ctx.get(view, 0)
    dtype = view.dtype()
    ends = [ctx.const(0, "int64"), ctx.node("Size", [permutation]), ctx.const(1, "int64")]
    positions = counted(ctx, ends, dtype)
    ctx.set(view, 0, ctx.node("ScatterElements", [permutation, permutation, positions]))


@converter(
    "MatrixBandPart",
    engine="onnx",
    spec=OpSpec(dtypes=frozenset({"float16", "float32", "float64", "int32", "int64", "bool"}), constants=(1, 2)),
)
def matrix_band_part(ctx: OnnxContext, view: NodeView) -> None:
    """TF MatrixBandPart -> Trilu from above and from below."""
    value = ctx.get(view, 0)
    below, above = (int(view.known_const(i).reshape(())) for i in (1, 2))
    if above >= 0:
        value = ctx.node("Trilu", [value, ctx.const(above, "int64")], upper=0)
    if below >= 0:
        value = ctx.node("Trilu", [value, ctx.const(-below, "int64")], upper=1)
    ctx.set(view, 0, value)


CONVERTERS = (
    gather_v2,
    gather,
    gather_nd,
    scatter_nd,
    tensor_scatter_update,
    tensor_scatter_reduce,
    one_hot,
    where,
    invert_permutation,
    matrix_band_part,
)
