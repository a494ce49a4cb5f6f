"""The fused ops that Grappler's remapper makes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfgraft.converters.batch_norm import check_batch_norm
from tfgraft.converters.orders import Perm
from tfgraft.converters.tensorrt.context import FLOATS, TensorRtContext
from tfgraft.converters.tensorrt.convolution import (
    CONV2D,
    CONV3D,
    Operand,
    check_kernel,
    depthwise_kernel_of,
    emit_conv,
    kernel_of,
)
from tfgraft.converters.tensorrt.emit import activation, binary, unsqueeze
from tfgraft.converters.tensorrt.normalization import (
    BATCH_NORM,
    folded,
    normalize,
    set_statistics,
)
from tfgraft.converters.windows import Format
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_ACTIVATIONS: dict[str, tuple[str, float | None, float | None]] = {
    "Relu": ("RELU", None, None),
    "Relu6": ("CLIP", 0.0, 6.0),
    "Elu": ("ELU", 1.0, None),
    "Tanh": ("TANH", None, None),
    "Sigmoid": ("SIGMOID", None, None),
    "GeluExact": ("GELU_ERF", None, None),
    "GeluApproximate": ("GELU_TANH", None, None),
}
"""TensorRT's `ActivationType`, its alpha and beta, by the name in `fused_ops`."""
_FIRST = {"BiasAdd": 1, "FusedBatchNorm": 4}
"""What may come first, and of how many further inputs."""


def _fused(view: NodeView) -> tuple[str, ...]:
    return tuple(view.attr("fused_ops", ()))


def _first(view: NodeView) -> int:
    """Return how many further inputs the first fused op takes: 0 if it is not one of `_FIRST`."""
    return _FIRST.get(next(iter(_fused(view)), ""), 0)


def _check_fused(view: NodeView) -> Support:
    """Refuse chains other than a bias or batch normalization at most, then additions and activations; attribute."""
    ops = _fused(view)
    rest = ops[1:] if _first(view) else ops
    given = len(view.inputs) - 2
    if all(op in (*_ACTIVATIONS, "LeakyRelu", "Add") for op in rest) and given == _first(view) + rest.count("Add"):
        return SUPPORTED
    return Unsupported(
        "attribute",
        f"{view.op} is not taken with fused ops {', '.join(ops)} and {given} further inputs.",
        "attr fused_ops",
    )


def _check_conv(view: NodeView) -> Support:
    refusal = _check_fused(view)
    return refusal if isinstance(refusal, Unsupported) else check_kernel(view)


def _check_matmul(view: NodeView) -> Support:
    if "FusedBatchNorm" in _fused(view):
        return Unsupported("attribute", f"{view.op} is not taken with FusedBatchNorm.", "attr fused_ops")
    return _check_fused(view)


def _rest(ctx: TensorRtContext, view: NodeView, value: Any, perm: Perm | None) -> Any:
    """Add what comes after the first fused op to a value held in the order `perm`."""
    side = 2 + _first(view)
    for name in _fused(view)[1:] if _first(view) else _fused(view):
        if name == "Add":
            value = binary(ctx, "SUM", value, ctx.get(view, side, perm))
            side += 1
        elif name == "LeakyRelu":
            value = activation(ctx, "LEAKY_RELU", value, float(view.attr("leakyrelu_alpha", 0.2)))
        else:
            kind, alpha, beta = _ACTIVATIONS[name]
            value = activation(ctx, kind, value, alpha, beta)
    return value


def _conv(ctx: TensorRtContext, view: NodeView, kernel: Operand) -> None:
    """Add a convolution with a bias or batch normalization, folded into its weights where they are constants."""
    bias, normalized = None, False
    if _first(view) == 1:
        bias = ctx.array(view, 2) if view.inputs[2].is_constant else ctx.get(view, 2)
    elif _first(view) == 4:
        constants = folded(view, 2)
        normalized = constants is None or not isinstance(kernel, np.ndarray)
        if constants and isinstance(kernel, np.ndarray):
            factor, bias = constants
            kernel = kernel.astype(np.float64) * factor.reshape(-1, *(1,) * (kernel.ndim - 1))
    value, perm = emit_conv(ctx, view, kernel, bias)
    if normalized:
        value = normalize(ctx, view, value, 2)
    ctx.set(view, 0, _rest(ctx, view, value, perm), perm)


_TAKEN = {"filter_format": ("HWIO",), "num_host_args": (0,), "padding_list": ((),)}


@converter(
    "_FusedConv2D",
    engine="tensorrt",
    spec=OpSpec(dtypes=CONV2D.dtypes, ranks=CONV2D.ranks, attrs=_TAKEN),
    check=_check_conv,
)
def fused_conv2d(ctx: TensorRtContext, view: NodeView) -> None:
    """TF _FusedConv2D -> convolution with bias, then additions and activations."""
    _conv(ctx, view, kernel_of(ctx, view))


@converter(
    "_FusedConv3D",
    engine="tensorrt",
    spec=OpSpec(dtypes=CONV3D.dtypes, ranks=CONV3D.ranks, attrs=_TAKEN),
    check=_check_conv,
)
def fused_conv3d(ctx: TensorRtContext, view: NodeView) -> None:
    """TF _FusedConv3D -> convolution with bias, then additions and activations."""
    _conv(ctx, view, kernel_of(ctx, view))


@converter("_FusedDepthwiseConv2dNative", engine="tensorrt", spec=CONV2D, check=_check_conv)
def fused_depthwise(ctx: TensorRtContext, view: NodeView) -> None:
    """TF _FusedDepthwiseConv2dNative -> grouped convolution with bias, then additions and activations."""
    _conv(ctx, view, depthwise_kernel_of(ctx, view))


@converter(
    "_FusedMatMul",
    engine="tensorrt",
    spec=OpSpec(dtypes=FLOATS, ranks={0: (2,), 1: (2,)}),
    check=_check_matmul,
)
def fused_matmul(ctx: TensorRtContext, view: NodeView) -> None:
    """TF _FusedMatMul -> matrix multiply, sum with the bias, then additions and activations."""
    operation = ctx.trt.MatrixOperation
    flags = [operation.TRANSPOSE if view.attr(f"transpose_{x}", False) else operation.NONE for x in "ab"]
    value = ctx.add("matrix_multiply", ctx.get(view, 0), flags[0], ctx.get(view, 1), flags[1])
    if _first(view) == 1:
        value = binary(ctx, "SUM", value, unsqueeze(ctx, ctx.get(view, 2), [0]))
    ctx.set(view, 0, _rest(ctx, view, value, None))


def _check_batch_norm(view: NodeView) -> Support:
    if view.attr("activation_mode", "Identity") not in ("Identity", "Relu"):
        return Unsupported("attribute", f"{view.op} has an activation that is not taken.", "attr activation_mode")
    return check_batch_norm(view)


@converter("_FusedBatchNormEx", engine="tensorrt", spec=BATCH_NORM, check=_check_batch_norm)
def fused_batch_norm_ex(ctx: TensorRtContext, view: NodeView) -> None:
    """TF _FusedBatchNormEx -> scale, the side input added, then an activation."""
    perm = Format.of(view, view.known_rank(0)).perm
    value = normalize(ctx, view, ctx.get(view, 0, perm), 1)
    if view.attr("num_side_inputs", 0):
        value = binary(ctx, "SUM", value, ctx.get(view, 5, perm))
    if view.attr("activation_mode", "Identity") == "Relu":
        value = activation(ctx, "RELU", value)
    ctx.set(view, 0, value, perm)
    set_statistics(ctx, view)


CONVERTERS = (fused_conv2d, fused_conv3d, fused_depthwise, fused_matmul, fused_batch_norm_ex)
