"""Convolutions."""

from __future__ import annotations

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.folded_convolution import emit_folded, folds
from tfgraft.converters.onnx.windows import auto_pad_is_wrong, pad_dynamically, padding_attrs
from tfgraft.converters.orders import NCHW, Perm
from tfgraft.converters.windows import Format, Window, explicit_pairs
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

CONV_TYPES = frozenset({"float16", "float32"})
"""What ONNX Runtime's CPU kernels of Conv and ConvTranspose take (float16 by casts that it inserts itself)."""
CONV2D = OpSpec(dtypes=CONV_TYPES, ranks={0: (4,), 1: (4,)})
CONV3D = OpSpec(dtypes=CONV_TYPES, ranks={0: (5,), 1: (5,)})


def check_kernel(view: NodeView) -> Support:
    """Refuse an unknown kernel size, on which padding and groups depend; code unknown-dim."""
    if any(d < 0 for d in view.shape(1) or ()):
        return Unsupported(
            "unknown-dim", f"{view.op} needs the kernel's shape, and it is not known.", "input 1", "Give input_shapes."
        )
    return SUPPORTED


def channels(view: NodeView) -> int:
    """Return the number of channels of input 0, negative if it is not known."""
    shape = view.shape(0) or ()
    return shape[Format.of(view, len(shape)).channel]


def emit_conv(ctx: OnnxContext, view: NodeView, bias: list[str] | None = None) -> tuple[str, Perm | None]:
    """Emit the Conv of a node with input 0 and an HWIO (DHWIO) kernel as input 1; return it and its order."""
    rank = view.known_rank(0)
    kernel = view.shape(1) or ()
    form = Format.of(view, rank)
    weight = ctx.get(view, 1, (rank - 1, rank - 2, *range(rank - 2)))
    # Where the channels are not known there is one group: of more, ONNX Runtime refuses the input, and TensorFlow runs
    # the segment.
    groups = max(channels(view) // kernel[-2], 1)
    return _conv(ctx, view, form, weight, groups, bias)


def emit_depthwise(ctx: OnnxContext, view: NodeView, bias: list[str] | None = None) -> tuple[str, Perm | None]:
    """Emit the grouped Conv of a depthwise convolution (kernel HWIM -> (IM)1HW); return it and its order."""
    height, width, inputs, multiplier = view.shape(1) or ()
    shape = (inputs * multiplier, 1, height, width)
    if ctx.is_weight(view, 1):
        weight = ctx.weight(view, 1, (2, 3, 0, 1), shape)
    else:
        weight = ctx.node("Reshape", [ctx.get(view, 1, (2, 3, 0, 1)), ctx.ints(shape)])
    return _conv(ctx, view, Format.of(view), weight, inputs, bias)


def _conv(
    ctx: OnnxContext, view: NodeView, form: Format, weight: str, group: int, bias: list[str] | None
) -> tuple[str, Perm | None]:
    window = Window(
        form.pick(view.shape(0) or ()),
        (view.shape(1) or ())[: form.rank - 2],
        form.pick(view.attr("strides")),
        form.pick(view.attr("dilations") or (1,) * form.rank),
        view.attr("padding"),
        explicit_pairs(view, form),
    )
    value = ctx.get(view, 0, form.perm)
    attrs = padding_attrs(window)
    if auto_pad_is_wrong(window):
        value, attrs = pad_dynamically(ctx, window, value), {}
    result = ctx.node(
        "Conv",
        [value, weight, *(bias or ())],
        kernel_shape=window.kernel,
        strides=window.strides,
        dilations=window.dilations,
        group=group,
        **attrs,
    )
    return result, form.perm


@converter("Conv2D", engine="onnx", spec=CONV2D, check=check_kernel)
def conv2d(ctx: OnnxContext, view: NodeView) -> None:
    """TF Conv2D (kernel HWIO) -> Conv (kernel OIHW)."""
    if folds(view):
        ctx.set(view, 0, emit_folded(ctx, view), NCHW)
    else:
        ctx.set(view, 0, *emit_conv(ctx, view))


@converter("Conv3D", engine="onnx", spec=CONV3D, check=check_kernel)
def conv3d(ctx: OnnxContext, view: NodeView) -> None:
    """TF Conv3D (kernel DHWIO) -> Conv (kernel OIDHW)."""
    ctx.set(view, 0, *emit_conv(ctx, view))


@converter("DepthwiseConv2dNative", engine="onnx", spec=CONV2D, check=check_kernel)
def depthwise(ctx: OnnxContext, view: NodeView) -> None:
    """TF DepthwiseConv2dNative (kernel HWIM) -> Conv with as many groups as input channels."""
    ctx.set(view, 0, *emit_depthwise(ctx, view))


CONVERTERS = (conv2d, conv3d, depthwise)
