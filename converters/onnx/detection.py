"""The largest elements, and non-maximum suppression."""

from __future__ import annotations

from dataclasses import replace

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import held_axis
from tfgraft.graph.dtypes import FLOATS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_INDEX = frozenset({"int32", "int64"})
_FLOAT = frozenset({"float32"})
_SMALL = {"int8": "int32", "uint8": "int32", "int16": "int32", "uint16": "int32", "uint32": "int64"}
"""Types that ONNX Runtime's TopK does not take, and wider ones that it does."""
_TOP = OpSpec(
    dtypes=FLOATS | _INDEX | frozenset(_SMALL),
    input_dtypes={1: _INDEX},
    output_dtypes={1: _INDEX},
    known_ranks=(0,),
)


def _top_k(ctx: OnnxContext, view: NodeView, k: str) -> None:
    perm, rank = ctx.perm_of(view, 0), view.known_rank(0)
    dtype = view.dtype()
    value = ctx.get(view, 0, perm)
    if dtype in _SMALL:
        value = ctx.cast(value, _SMALL[dtype])
    # Sorted in any case: TensorFlow's order without sorting is not defined.
    values, indices = ctx.node("TopK", [value, k], outputs=2, axis=held_axis(-1, rank, perm), largest=1, sorted=1)
    ctx.set(view, 0, ctx.cast(values, dtype) if dtype in _SMALL else values, perm)
    index_type = view.outputs[1].dtype
    ctx.set(view, 1, indices if index_type == "int64" else ctx.cast(indices, index_type), perm)


def _vector(ctx: OnnxContext, view: NodeView, i: int, dtype: str) -> str:
    """Return a scalar input as a vector of one element of the type wanted."""
    value = view.const(i)
    if value is not None:
        return ctx.const(value.reshape(1), dtype)
    name = ctx.get(view, i)
    name = name if view.dtype(i) == dtype else ctx.cast(name, dtype)
    result: str = ctx.node("Reshape", [name, ctx.ints([1])])
    return result


@converter("TopKV2", engine="onnx", spec=_TOP)
def top_k_v2(ctx: OnnxContext, view: NodeView) -> None:
    """TF TopKV2 -> TopK over the last dimension; `k` may be computed."""
    _top_k(ctx, view, _vector(ctx, view, 1, "int64"))


_NMS = OpSpec(
    dtypes=_FLOAT,
    input_dtypes={2: frozenset({"int32"})},
    output_dtypes={0: frozenset({"int32"})},
    ranks={0: (2,), 1: (1,)},
)
_NMS_V4 = replace(_NMS, output_dtypes={0: frozenset({"int32"}), 1: frozenset({"int32"})})
_NMS_V5 = replace(_NMS, output_dtypes={0: frozenset({"int32"}), 2: frozenset({"int32"})}, constants=(5,))


def _select(ctx: OnnxContext, view: NodeView, iou: str, score: str | None = None) -> str:
    """Emit the NonMaxSuppression of one batch and class; return the int64 indices, best first."""
    boxes = ctx.node("Unsqueeze", [ctx.get(view, 0), ctx.ints([0])])
    scores = ctx.node("Unsqueeze", [ctx.get(view, 1), ctx.ints([0, 1])])
    inputs = [boxes, scores, _vector(ctx, view, 2, "int64"), iou]
    chosen = ctx.node("NonMaxSuppression", inputs if score is None else [*inputs, score])
    # Each row is batch, class, box.
    result: str = ctx.node("Gather", [chosen, ctx.const(2, "int64")], axis=1)
    return result


def _thresholds(ctx: OnnxContext, view: NodeView) -> tuple[str, str]:
    return _vector(ctx, view, 3, "float32"), _vector(ctx, view, 4, "float32")


def _padded(ctx: OnnxContext, view: NodeView, value: str) -> str:
    """Pad a vector with zeros to the node's `max_output_size` if the node asks for that."""
    if not view.attr("pad_to_max_output_size", False):
        return value
    missing = ctx.node("Sub", [_vector(ctx, view, 2, "int64"), ctx.node("Shape", [value])])
    result: str = ctx.node("Pad", [value, ctx.node("Concat", [ctx.ints([0]), missing], axis=0)])
    return result


def _count(ctx: OnnxContext, indices: str) -> str:
    return ctx.cast(ctx.node("Squeeze", [ctx.node("Shape", [indices]), ctx.ints([0])]), "int32")


@converter("NonMaxSuppression", engine="onnx", spec=_NMS)
def non_max_suppression(ctx: OnnxContext, view: NodeView) -> None:
    """TF NonMaxSuppression (the threshold is an attribute) -> NonMaxSuppression."""
    iou = ctx.const([view.attr("iou_threshold", 0.5)], "float32")
    ctx.set(view, 0, ctx.cast(_select(ctx, view, iou), "int32"))


@converter("NonMaxSuppressionV2", engine="onnx", spec=_NMS)
def non_max_suppression_v2(ctx: OnnxContext, view: NodeView) -> None:
    """TF NonMaxSuppressionV2 -> NonMaxSuppression."""
    ctx.set(view, 0, ctx.cast(_select(ctx, view, _vector(ctx, view, 3, "float32")), "int32"))


@converter("NonMaxSuppressionV3", engine="onnx", spec=_NMS)
def non_max_suppression_v3(ctx: OnnxContext, view: NodeView) -> None:
    """TF NonMaxSuppressionV3 -> NonMaxSuppression with a score threshold."""
    ctx.set(view, 0, ctx.cast(_select(ctx, view, *_thresholds(ctx, view)), "int32"))


@converter("NonMaxSuppressionV4", engine="onnx", spec=_NMS_V4)
def non_max_suppression_v4(ctx: OnnxContext, view: NodeView) -> None:
    """TF NonMaxSuppressionV4 -> NonMaxSuppression, the indices padded with zeros if asked, and their number."""
    indices = _select(ctx, view, *_thresholds(ctx, view))
    ctx.set(view, 0, ctx.cast(_padded(ctx, view, indices), "int32"))
    ctx.set(view, 1, _count(ctx, indices))


def _check_hard(view: NodeView) -> Support:
    sigma = view.const(5)
    if sigma is not None and float(sigma) == 0.0:
        return SUPPORTED
    return Unsupported("attribute", f"{view.op} is taken with soft_nms_sigma 0 only.", "input 5")


@converter("NonMaxSuppressionV5", engine="onnx", spec=_NMS_V5, check=_check_hard)
def non_max_suppression_v5(ctx: OnnxContext, view: NodeView) -> None:
    """TF NonMaxSuppressionV5 without softening -> NonMaxSuppression, the scores of what it chose and their number."""
    indices = _select(ctx, view, *_thresholds(ctx, view))
    scores = ctx.node("Gather", [ctx.get(view, 1), indices])
    ctx.set(view, 0, ctx.cast(_padded(ctx, view, indices), "int32"))
    ctx.set(view, 1, _padded(ctx, view, scores))
    ctx.set(view, 2, _count(ctx, indices))


CONVERTERS = (
    top_k_v2,
    non_max_suppression,
    non_max_suppression_v2,
    non_max_suppression_v3,
    non_max_suppression_v4,
    non_max_suppression_v5,
)
