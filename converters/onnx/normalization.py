"""Biases, batch normalization and other normalizations."""

from __future__ import annotations

from tfgraft.converters.batch_norm import check_batch_norm
from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.windows import Format
from tfgraft.graph.dtypes import FLOATS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_ADD = FLOATS | {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}


def _check_bias(view: NodeView) -> Support:
    if view.attr("data_format", "NHWC") == "NCHW" and view.rank(0) is None:
        return Unsupported(
            "unknown-rank",
            f"{view.op} with channels first needs the rank of input 0, and it is not known.",
            "input 0",
            "Give input_shapes.",
        )
    return SUPPORTED


@converter("BiasAdd", "BiasAddV1", engine="onnx", spec=OpSpec(dtypes=_ADD), check=_check_bias)
def bias_add(ctx: OnnxContext, view: NodeView) -> None:
    """TF BiasAdd -> Add, in the order in which the input is held, so that ONNX Runtime folds it into a Conv."""
    form, rank = ctx.form_of(view, 0), view.rank(0)
    if rank is None:
        ctx.set(view, 0, ctx.node("Add", [ctx.get(view, 0), ctx.get(view, 1)]))
        return
    channel = Format.of(view, rank).channel
    dims = rank if form is None else len(form)
    channel = channel if form is None else form.index(channel)
    if channel == dims - 1:
        bias = ctx.get(view, 1)
    elif view.inputs[1].is_constant:
        size = (view.shape(1) or ())[0]
        bias = ctx.weight(view, 1, None, tuple(size if d == channel else 1 for d in range(dims)))
    else:
        bias = ctx.node("Unsqueeze", [ctx.get(view, 1), ctx.ints([d for d in range(dims) if d != channel])])
    ctx.set(view, 0, ctx.node("Add", [ctx.get(view, 0, form), bias]), form)


def batch_norm(ctx: OnnxContext, view: NodeView, value: str) -> str:
    """Emit the BatchNormalization of a channels-first value; inputs 1 to 4 of the node are its parameters.

    The engine needs values and parameters of one type: a float16 value is computed in float32, as TensorFlow does.
    """
    half = view.dtype(0) == "float16" and view.dtype(1) == "float32"
    if half:
        value = ctx.cast(value, "float32")
    inputs = [value, *(ctx.get(view, i) for i in range(1, 5))]
    result: str = ctx.node("BatchNormalization", inputs, epsilon=float(view.attr("epsilon", 1e-4)))
    return ctx.cast(result, "float16") if half else result


@converter(
    "FusedBatchNorm",
    "FusedBatchNormV2",
    "FusedBatchNormV3",
    engine="onnx",
    spec=OpSpec(dtypes=frozenset({"float32", "float16"}), ranks={0: (4, 5)}),
    check=check_batch_norm,
)
def fused_batch_norm(ctx: OnnxContext, view: NodeView) -> None:
    """TF FusedBatchNorm (inference) -> BatchNormalization; outputs 1 to 4 are the given mean and variance."""
    perm = Format.of(view, view.known_rank(0)).perm
    ctx.set(view, 0, batch_norm(ctx, view, ctx.get(view, 0, perm)), perm)
    for port in range(1, 5):
        # Reserve spaces repeat mean and variance; the last one of V3 has no meaning and is not set.
        ctx.set(view, port, ctx.get(view, 3 + (port - 1) % 2))


@converter("LRN", engine="onnx", spec=OpSpec(dtypes=frozenset({"float32", "float16"}), ranks={0: (4,)}))
def lrn(ctx: OnnxContext, view: NodeView) -> None:
    """TF LRN (over the last dimension) -> LRN, whose alpha is that of the sum's mean."""
    perm = (0, 3, 1, 2)
    size = 2 * int(view.attr("depth_radius", 5)) + 1
    result = ctx.node(
        "LRN",
        [ctx.get(view, 0, perm)],
        size=size,
        bias=float(view.attr("bias", 1.0)),
        alpha=float(view.attr("alpha", 1.0)) * size,
        beta=float(view.attr("beta", 0.5)),
    )
    ctx.set(view, 0, result, perm)


@converter("L2Loss", engine="onnx", spec=OpSpec(dtypes=frozenset({"float32", "float64"})))
def l2_loss(ctx: OnnxContext, view: NodeView) -> None:
    """TF L2Loss -> half of ReduceSumSquare over everything, in any order."""
    total = ctx.node("ReduceSumSquare", [ctx.get(view, 0, ctx.perm_of(view, 0))], keepdims=0)
    ctx.set(view, 0, ctx.node("Mul", [total, ctx.const(0.5, view.dtype())]))


CONVERTERS = (bias_add, fused_batch_norm, lrn, l2_loss)
