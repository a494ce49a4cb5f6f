"""Batch normalization and local response normalization."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.converters.batch_norm import check_batch_norm
from tfgraft.converters.tensorrt.context import FLOATS, TensorRtContext
from tfgraft.converters.tensorrt.emit import binary, like, unary, unsqueeze
from tfgraft.converters.windows import Format
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_LARGEST_WINDOW = 15
"""The widest window of TensorRT's LRN layer."""
_LEAST_BETA, _LEAST_BIAS = 0.01, 1e-5
"""The least exponent and addend of TensorRT's LRN layer."""

BATCH_NORM = OpSpec(
    dtypes=FLOATS,
    input_dtypes={i: frozenset({"float32"}) for i in range(1, 5)},
    output_dtypes={i: frozenset({"float32"}) for i in range(1, 6)},
    ranks={0: (4, 5)},
)


def folded(view: NodeView, first: int) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return the factor and addend, float64, of each channel that four constant inputs from `first` on amount to.

    They are scale, offset, mean and variance; None if one is not a constant.
    """
    if not all(item.is_constant for item in view.inputs[first : first + 4]):
        return None
    scale, offset, mean, variance = (view.known_const(first + k).astype(np.float64) for k in range(4))
    factor = scale / np.sqrt(variance + _epsilon(view))
    return factor, offset - mean * factor


def normalize(ctx: TensorRtContext, view: NodeView, value: Any, first: int) -> Any:
    """Add the batch normalization of a channels-first value; inputs from `first` on are its parameters.

    It is a scale layer, which TensorRT folds into a convolution before it, if they are constants. Else, and where
    float16 cannot hold them, it is computed in float32 as in TensorFlow; bfloat16 always is, for it is too coarse.
    """
    dtype, constants = ctx.dtype(value), folded(view, first)
    with np.errstate(over="ignore"):
        if constants and dtype == "float16" and all(np.isfinite(c.astype(dtype)).all() for c in constants):
            return _scale(ctx, value, *constants)
    wide = ctx.cast(value, "float32")
    if constants:
        result = _scale(ctx, wide, *constants)
    else:
        scale, offset, mean, variance = (ctx.cast(ctx.get(view, first + k), "float32") for k in range(4))
        deviation = unary(ctx, "SQRT", binary(ctx, "SUM", variance, like(ctx, variance, _epsilon(view))))
        factor = binary(ctx, "DIV", scale, deviation)
        addend = binary(ctx, "SUB", offset, binary(ctx, "PROD", mean, factor))
        result = affine(ctx, wide, factor, addend)
    return ctx.cast(result, dtype)


def affine(ctx: TensorRtContext, value: Any, factor: Any, addend: Any) -> Any:
    """Multiply and add tensors of rank 1, one element a channel, to a channels-first value."""
    axes = [d for d in range(len(value.shape)) if d != 1]
    product = binary(ctx, "PROD", value, unsqueeze(ctx, factor, axes))
    return binary(ctx, "SUM", product, unsqueeze(ctx, addend, axes))


def _scale(ctx: TensorRtContext, value: Any, factor: NDArray[Any], addend: NDArray[Any]) -> Any:
    dtype = ctx.dtype(value)
    if factor.size == 0:
        return value
    scale, shift = (ctx.weights(c.astype(dtype)) for c in (factor, addend))
    none = ctx.trt.Weights(ctx.type(dtype))
    return ctx.add("scale_nd", value, ctx.trt.ScaleMode.CHANNEL, shift, scale, none, 1)


def _epsilon(view: NodeView) -> float:
    return float(view.attr("epsilon", 1e-4))


def set_statistics(ctx: TensorRtContext, view: NodeView) -> None:
    """Set outputs 1 to 4: mean and variance as they were given, and again as reserve spaces.

    The last output of V3 has no meaning in inference and is not set.
    """
    for port in range(1, 5):
        ctx.set(view, port, ctx.get(view, 3 + (port - 1) % 2))


@converter(
    "FusedBatchNorm",
    "FusedBatchNormV2",
    "FusedBatchNormV3",
    engine="tensorrt",
    spec=BATCH_NORM,
    check=check_batch_norm,
)
def fused_batch_norm(ctx: TensorRtContext, view: NodeView) -> None:
    """TF FusedBatchNorm (inference) -> scale; outputs 1 to 4 are the given mean and variance."""
    perm = Format.of(view, view.known_rank(0)).perm
    ctx.set(view, 0, normalize(ctx, view, ctx.get(view, 0, perm), 1), perm)
    set_statistics(ctx, view)


@converter("LRN", engine="tensorrt", spec=OpSpec(dtypes=FLOATS, ranks={0: (4,)}))
def lrn(ctx: TensorRtContext, view: NodeView) -> None:
    """TF LRN (over the last dimension) -> LRN, whose alpha is that of the mean of squares.

    Where that layer does not take the numbers, the mean is an average pooling along the channels, and the rest
    elementwise.
    """
    radius = int(view.attr("depth_radius", 5))
    size = 2 * radius + 1
    bias, beta = float(view.attr("bias", 1.0)), float(view.attr("beta", 0.5))
    alpha = float(view.attr("alpha", 1.0)) * size
    if size <= _LARGEST_WINDOW and beta >= _LEAST_BETA and bias >= _LEAST_BIAS:
        perm = (0, 3, 1, 2)
        ctx.set(view, 0, ctx.add("lrn", ctx.get(view, 0, perm), size, alpha, beta, bias), perm)
        return
    value = ctx.get(view, 0)  # channels last: to a pooling they are the width
    mean = ctx.add(
        "pooling_nd",
        binary(ctx, "PROD", value, value),
        ctx.trt.PoolingType.AVERAGE,
        (1, size),
        pre_padding=(0, radius),
        post_padding=(0, radius),
        average_count_excludes_padding=False,
    )
    base = binary(ctx, "SUM", binary(ctx, "PROD", mean, like(ctx, mean, alpha)), like(ctx, mean, bias))
    ctx.set(view, 0, binary(ctx, "PROD", value, binary(ctx, "POW", base, like(ctx, base, -beta))))


CONVERTERS = (fused_batch_norm, lrn)
