"""The fused ops that Grappler's remapper makes."""

from __future__ import annotations

from tfgraft.converters.batch_norm import check_batch_norm
from tfgraft.converters.onnx.activation import FUSED, activation
from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.convolution import CONV2D, check_kernel, emit_conv, emit_depthwise
from tfgraft.converters.onnx.normalization import batch_norm
from tfgraft.converters.windows import Format
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def _fused(view: NodeView) -> tuple[str, ...]:
    return tuple(view.attr("fused_ops", ()))


def _check_fused(view: NodeView, first: tuple[str, ...]) -> Support:
    """Refuse chains of fused ops other than one of `first`, then activations; code attribute."""
    ops = _fused(view)
    if ops and ops[0] in first and all(op in FUSED for op in ops[1:]):
        return SUPPORTED
    return Unsupported("attribute", f"{view.op} is not taken with fused ops {', '.join(ops)}.", "attr fused_ops")


def _check_conv(view: NodeView) -> Support:
    refusal = _check_fused(view, ("BiasAdd", "FusedBatchNorm"))
    return refusal if isinstance(refusal, Unsupported) else check_kernel(view)


def _check_depthwise(view: NodeView) -> Support:
    refusal = _check_fused(view, ("BiasAdd",))
    return refusal if isinstance(refusal, Unsupported) else check_kernel(view)


def _check_matmul(view: NodeView) -> Support:
    return _check_fused(view, ("BiasAdd",))


def _activations(ctx: OnnxContext, view: NodeView, value: str) -> str:
    for name in _fused(view)[1:]:
        value = activation(ctx, name, value, view.dtype(), float(view.attr("leakyrelu_alpha", 0.2)))
    return value


@converter("_FusedConv2D", engine="onnx", spec=CONV2D, check=_check_conv)
def fused_conv2d(ctx: OnnxContext, view: NodeView) -> None:
    """TF _FusedConv2D -> Conv with bias, or Conv and BatchNormalization, then activations."""
    if _fused(view)[0] == "BiasAdd":
        value, perm = emit_conv(ctx, view, [ctx.get(view, 2)])
    else:
        value, perm = emit_conv(ctx, view)
        parameters = [ctx.get(view, i) for i in range(2, 6)]
        value = ctx.node("BatchNormalization", [value, *parameters], epsilon=float(view.attr("epsilon", 1e-4)))
    ctx.set(view, 0, _activations(ctx, view, value), perm)


@converter("_FusedDepthwiseConv2dNative", engine="onnx", spec=CONV2D, check=_check_depthwise)
def fused_depthwise(ctx: OnnxContext, view: NodeView) -> None:
    """TF _FusedDepthwiseConv2dNative -> grouped Conv with bias, then activations."""
    value, perm = emit_depthwise(ctx, view, [ctx.get(view, 2)])
    ctx.set(view, 0, _activations(ctx, view, value), perm)


@converter(
    "_FusedMatMul",
    engine="onnx",
    spec=OpSpec(dtypes=frozenset({"float16", "float32", "float64"}), ranks={0: (2,), 1: (2,)}),
    check=_check_matmul,
)
def fused_matmul(ctx: OnnxContext, view: NodeView) -> None:
    """TF _FusedMatMul -> Gemm, then activations."""
    transposed = [int(bool(view.attr(f"transpose_{x}", False))) for x in "ab"]
    value = ctx.node("Gemm", [ctx.get(view, i) for i in range(3)], transA=transposed[0], transB=transposed[1])
    ctx.set(view, 0, _activations(ctx, view, value))


def _check_batch_norm(view: NodeView) -> Support:
    if view.attr("activation_mode", "Identity") not in ("Identity", "Relu"):
        return Unsupported("attribute", f"{view.op} has an activation that is not taken.", "attr activation_mode")
    return check_batch_norm(view)


@converter(
    "_FusedBatchNormEx",
    engine="onnx",
    spec=OpSpec(dtypes=frozenset({"float32", "float16"}), ranks={0: (4, 5)}),
    check=_check_batch_norm,
)
def fused_batch_norm_ex(ctx: OnnxContext, view: NodeView) -> None:
    """TF _FusedBatchNormEx -> BatchNormalization, the side input added, then Relu."""
    perm = Format.of(view, view.known_rank(0)).perm
    value = batch_norm(ctx, view, ctx.get(view, 0, perm))
    if view.attr("num_side_inputs", 0):
        value = ctx.node("Add", [value, ctx.get(view, 5, perm)])
    if view.attr("activation_mode", "Identity") == "Relu":
        value = ctx.node("Relu", [value])
    ctx.set(view, 0, value, perm)
    for port in range(1, 5):
        ctx.set(view, port, ctx.get(view, 3 + (port - 1) % 2))


CONVERTERS = (fused_conv2d, fused_depthwise, fused_matmul, fused_batch_norm_ex)
