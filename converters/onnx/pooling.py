"""Pooling."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.windows import padding_attrs
from tfgraft.converters.windows import check_pooled, pooling_window
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_MAX_TYPES = frozenset({"float16", "float32", "float64", "int8", "uint8"})
_AVG_TYPES = frozenset({"float16", "float32"})


def _check(view: NodeView) -> Support:
    if isinstance(refusal := check_pooled(view), Unsupported):
        return refusal
    window, _ = pooling_window(view)
    pads = window.pads()
    half = len(window.kernel)
    if pads is None:
        # A stride that skips elements gives auto_pad a negative padding, which ONNX Runtime does not take.
        if any(k < s for k, s in zip(window.kernel, window.strides, strict=True)):
            return Unsupported(
                "unknown-dim",
                f"{view.op} with SAME padding and strides above its kernel sizes needs the spatial sizes.",
                "input 0",
                "Give input_shapes.",
            )
    elif any(p >= window.kernel[d % half] for d, p in enumerate(pads)):
        return Unsupported(
            "attribute", f"{view.op} is taken with padding below its kernel size.", "attr explicit_paddings"
        )
    return SUPPORTED


def _pool(ctx: OnnxContext, view: NodeView, op: str, **extra: Any) -> Any:
    window, form = pooling_window(view)
    return ctx.node(
        op,
        [ctx.get(view, 0, form.perm)],
        kernel_shape=window.kernel,
        strides=window.strides,
        **padding_attrs(window),
        **extra,
    ), form.perm


@converter("MaxPool", engine="onnx", spec=OpSpec(dtypes=_MAX_TYPES, ranks={0: (4,)}), check=_check)
def max_pool(ctx: OnnxContext, view: NodeView) -> None:
    """TF MaxPool -> MaxPool."""
    ctx.set(view, 0, *_pool(ctx, view, "MaxPool"))


_SIZES = {1: frozenset({"int32"}), 2: frozenset({"int32"})}


@converter(
    "MaxPoolV2",
    engine="onnx",
    spec=OpSpec(dtypes=_MAX_TYPES, input_dtypes=_SIZES, ranks={0: (4,)}, constants=(1, 2)),
    check=_check,
)
def max_pool_v2(ctx: OnnxContext, view: NodeView) -> None:
    """TF MaxPoolV2 (constant ksize and strides) -> MaxPool."""
    ctx.set(view, 0, *_pool(ctx, view, "MaxPool"))


@converter("MaxPool3D", engine="onnx", spec=OpSpec(dtypes=_MAX_TYPES, ranks={0: (5,)}), check=_check)
def max_pool_3d(ctx: OnnxContext, view: NodeView) -> None:
    """TF MaxPool3D -> MaxPool."""
    ctx.set(view, 0, *_pool(ctx, view, "MaxPool"))


@converter("AvgPool", engine="onnx", spec=OpSpec(dtypes=_AVG_TYPES, ranks={0: (4,)}), check=_check)
def avg_pool(ctx: OnnxContext, view: NodeView) -> None:
    """TF AvgPool -> AveragePool; padding does not count."""
    ctx.set(view, 0, *_pool(ctx, view, "AveragePool", count_include_pad=0))


@converter("AvgPool3D", engine="onnx", spec=OpSpec(dtypes=_AVG_TYPES, ranks={0: (5,)}), check=_check)
def avg_pool_3d(ctx: OnnxContext, view: NodeView) -> None:
    """TF AvgPool3D -> AveragePool; padding does not count."""
    ctx.set(view, 0, *_pool(ctx, view, "AveragePool", count_include_pad=0))


CONVERTERS = (max_pool, max_pool_v2, max_pool_3d, avg_pool, avg_pool_3d)
