"""Transposed convolutions, which TensorFlow knows as gradients of convolutions."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.convolution import CONV_TYPES, check_kernel
from tfgraft.converters.windows import Format, Window, check_transposed, transposed_target, transposed_window
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import Support, Unsupported

_SIZES = frozenset({"int32", "int64"})


def _spec(rank: int) -> OpSpec:
    return OpSpec(dtypes=CONV_TYPES, input_dtypes={0: _SIZES}, ranks={0: (1,), 1: (rank,), 2: (rank,)})


def _check(view: NodeView) -> Support:
    if isinstance(refusal := check_kernel(view), Unsupported):
        return refusal
    return check_transposed(view)


def _emit(ctx: OnnxContext, view: NodeView) -> None:
    """Emit a ConvTranspose whose padding is that of the forward convolution from the output back to input 2."""
    rank = view.known_rank(1)
    form = Format.of(view, rank)
    kernel = view.shape(1) or ()
    target = transposed_target(view)
    window = transposed_window(view)
    # A kernel's output channels are those of one group.
    group = target[form.channel] // kernel[-2]
    inputs = [ctx.get(view, 2, form.perm), ctx.get(view, 1, (rank - 1, rank - 2, *range(rank - 2)))]
    attrs: dict[str, Any] = {
        "kernel_shape": window.kernel,
        "strides": window.strides,
        "dilations": window.dilations,
        "group": group,
    }
    given = form.pick(view.shape(2) or ())
    pads = window.pads()
    if pads is not None and all(n >= 0 for n in (*window.sizes, *given)):
        half = len(window.kernel)
        ends = [
            (i - 1) * s + k - p - n
            for i, s, k, p, n in zip(given, window.strides, window.extents, pads[:half], window.sizes, strict=True)
        ]
        result = ctx.node(
            "ConvTranspose",
            inputs,
            pads=pads[:half] + [max(e, 0) for e in ends],
            output_padding=[max(-e, 0) for e in ends],
            **attrs,
        )
    else:
        whole = ctx.node("ConvTranspose", inputs, output_padding=[s - 1 for s in window.strides], **attrs)
        result = _cut(ctx, view, form, window, whole, inputs[0])
    ctx.set(view, 0, result, form.perm)


def _cut(ctx: OnnxContext, view: NodeView, form: Format, window: Window, whole: str, value: str) -> str:
    """Cut the output out of the whole result, where its sizes are known only when running."""
    sizes = ctx.cast(ctx.get(view, 0), "int64")
    spatial = form.spatial
    if view.shape(0) != (len(spatial),):
        sizes = ctx.node("Slice", [sizes, ctx.ints([spatial.start]), ctx.ints([spatial.stop]), ctx.ints([0])])
    pads = window.pads()
    if pads is not None:
        start = ctx.ints(pads[: len(spatial)])
    else:
        steps = ctx.node("Sub", [ctx.node("Shape", [value], start=2), ctx.ints([1])])
        covered = ctx.node("Add", [ctx.node("Mul", [steps, ctx.ints(window.strides)]), ctx.ints(window.extents)])
        total = ctx.node("Max", [ctx.node("Sub", [covered, sizes]), ctx.ints([0])])
        start = ctx.node("Div", [total, ctx.ints([2])])
    axes = ctx.ints(range(2, form.rank))
    result: str = ctx.node("Slice", [whole, start, ctx.node("Add", [start, sizes]), axes])
    return result


@converter("Conv2DBackpropInput", engine="onnx", spec=_spec(4), check=_check)
def conv2d_backprop_input(ctx: OnnxContext, view: NodeView) -> None:
    """TF Conv2DBackpropInput (kernel HWOI) -> ConvTranspose (kernel IOHW)."""
    _emit(ctx, view)


@converter("Conv3DBackpropInputV2", engine="onnx", spec=_spec(5), check=_check)
def conv3d_backprop_input(ctx: OnnxContext, view: NodeView) -> None:
    """TF Conv3DBackpropInputV2 (kernel DHWOI) -> ConvTranspose (kernel IODHW)."""
    _emit(ctx, view)


CONVERTERS = (conv2d_backprop_input, conv3d_backprop_input)
