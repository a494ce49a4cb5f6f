"""Convolutions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tfgraft.converters.orders import Perm
from tfgraft.converters.tensorrt.context import FLOATS, TensorRtContext
from tfgraft.converters.tensorrt.windows import pad_same, padding, same_upper_is_wrong
from tfgraft.converters.windows import Format, Window, explicit_pairs
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

CONV2D = OpSpec(dtypes=FLOATS, ranks={0: (4,), 1: (4,)})
CONV3D = OpSpec(dtypes=FLOATS, ranks={0: (5,), 1: (5,)})

Operand = Any
"""A kernel or bias: an array, which becomes weights of the layer, or an `ITensor`."""


def check_kernel(view: NodeView) -> Support:
    """Refuse kernels of unknown sizes, code unknown-dim, and what has no elements but is no batch, engine-rejected."""
    kernel = view.shape(1) or ()
    if any(d < 0 for d in kernel):
        return Unsupported(
            "unknown-dim", f"{view.op} needs the kernel's shape, and it is not known.", "input 1", "Give input_shapes."
        )
    image = 2 if view.op.endswith(("BackpropInput", "BackpropInputV2")) else 0
    for i in (1, image):
        if 0 in (view.shape(i) or ())[i != 1 :]:  # a batch may be empty
            return Unsupported("engine-rejected", f"{view.op} with a dimension of size zero is refused.", f"input {i}")
    return SUPPORTED


def kernel_of(ctx: TensorRtContext, view: NodeView) -> Operand:
    """Return the kernel of a node, HWIO (DHWIO), as OIHW (OIDHW)."""
    rank = view.known_rank(1)
    perm = (rank - 1, rank - 2, *range(rank - 2))
    return ctx.array(view, 1, perm) if view.inputs[1].is_constant else ctx.get(view, 1, perm)


def depthwise_kernel_of(ctx: TensorRtContext, view: NodeView) -> Operand:
    """Return the kernel of a depthwise convolution, HWIM, as (IM)1HW."""
    height, width, inputs, multiplier = view.shape(1) or ()
    shape = (inputs * multiplier, 1, height, width)
    if view.inputs[1].is_constant:
        return ctx.array(view, 1, (2, 3, 0, 1)).reshape(shape)
    return ctx.shaped(view, 1, (2, 3, 0, 1), shape)


def weighted(
    ctx: TensorRtContext, kind: str, value: Any, maps: int, kernel: Operand, bias: Operand | None, **settings: Any
) -> Any:
    """Add a convolution or deconvolution.

    Args:
        maps: the number of output channels.
        settings: attributes of the layer.
    """
    dtype = ctx.dtype(value)
    if bias is None and maps >= 0:
        # TensorRT-RTX 1.7 fails to build a convolution without one that is scaled by a constant and cast.
        bias = np.zeros(maps, np.float32)
    weights = [ctx.trt.Weights(ctx.type(dtype))] * 2
    inputs: dict[int, Any] = {}
    for slot, operand in enumerate((kernel, bias)):
        if operand is None:
            continue
        if not isinstance(operand, np.ndarray):
            inputs[slot + 1] = operand
        elif dtype == "bfloat16":  # weights of this type cannot be read back from the network, constants can
            inputs[slot + 1] = ctx.const(operand, dtype)
        else:
            weights[slot] = ctx.weights(operand.astype(dtype, copy=False))
    return ctx.add(kind, value, maps, tuple(kernel.shape)[2:], *weights, inputs=inputs, **settings)


def emit_conv(
    ctx: TensorRtContext, view: NodeView, kernel: Operand, bias: Operand | None = None
) -> tuple[Any, Perm | None]:
    """Add the convolution of a node with input 0 and a kernel OIHW (OIDHW); return the result and its order."""
    form = Format.of(view, view.known_rank(0))
    window = _window(view, form)
    value = ctx.get(view, 0, form.perm)
    if same_upper_is_wrong(window):
        value, window = pad_same(ctx, window, value), replace(window, padding="VALID")
    inputs = (view.shape(0) or ())[form.channel]
    if inputs < 0:
        # The kernel of a depthwise convolution tells. Else one group is meant almost always, and where it is not, the
        # engine refuses the image.
        inputs = (view.shape(1) or ())[-2]
    result = weighted(
        ctx,
        "convolution_nd",
        value,
        kernel.shape[0],
        kernel,
        bias,
        stride_nd=window.strides,
        dilation_nd=window.dilations,
        num_groups=inputs // kernel.shape[1],
        **padding(ctx, window),
    )
    return result, form.perm


def _window(view: NodeView, form: Format) -> Window:
    return Window(
        form.pick(view.shape(0) or ()),
        (view.shape(1) or ())[: form.rank - 2],
        form.pick(view.attr("strides")),
        form.pick(view.attr("dilations") or (1,) * form.rank),
        view.attr("padding"),
        explicit_pairs(view, form),
    )


@converter("Conv2D", engine="tensorrt", spec=CONV2D, check=check_kernel)
def conv2d(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Conv2D (kernel HWIO) -> convolution (kernel OIHW)."""
    ctx.set(view, 0, *emit_conv(ctx, view, kernel_of(ctx, view)))


@converter("Conv3D", engine="tensorrt", spec=CONV3D, check=check_kernel)
def conv3d(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Conv3D (kernel DHWIO) -> convolution (kernel OIDHW)."""
    ctx.set(view, 0, *emit_conv(ctx, view, kernel_of(ctx, view)))


@converter("DepthwiseConv2dNative", engine="tensorrt", spec=CONV2D, check=check_kernel)
def depthwise(ctx: TensorRtContext, view: NodeView) -> None:
    """TF DepthwiseConv2dNative (kernel HWIM) -> convolution with as many groups as input channels."""
    ctx.set(view, 0, *emit_conv(ctx, view, depthwise_kernel_of(ctx, view)))


CONVERTERS = (conv2d, conv3d, depthwise)
