"""Transposed convolutions, which TensorFlow knows as gradients of convolutions."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.tensorrt.context import FLOATS, INTS, TensorRtContext
from tfgraft.converters.tensorrt.convolution import check_kernel, kernel_of, weighted
from tfgraft.converters.tensorrt.dims import Dim, dims_of, elements, floor_div, larger, minus, plus, times
from tfgraft.converters.tensorrt.emit import cut
from tfgraft.converters.windows import Format, Window, check_transposed, transposed_target, transposed_window
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def _spec(rank: int) -> OpSpec:
    return OpSpec(dtypes=FLOATS, input_dtypes={0: INTS}, ranks={0: (1,), 1: (rank,), 2: (rank,)})


def _check(view: NodeView) -> Support:
    if isinstance(refusal := check_kernel(view), Unsupported):
        return refusal
    if isinstance(refusal := check_transposed(view), Unsupported):
        return refusal
    window = transposed_window(view)
    if any(d > 1 for d in window.dilations) and any(s > 1 for s in window.strides):
        return Unsupported(
            "attribute", "TensorRT takes no transposed convolution with both strides and dilations.", "attr dilations"
        )
    return SUPPORTED


def _emit(ctx: TensorRtContext, view: NodeView) -> None:
    """Add a deconvolution whose padding is that of the forward convolution from the output back to input 2."""
    form, window = Format.of(view, view.known_rank(1)), transposed_window(view)
    kernel = kernel_of(ctx, view)
    dtype = view.dtype(1)
    value = ctx.get(view, 2, form.perm)
    if dtype == "bfloat16":  # no kernel of TensorRT's takes it
        value = ctx.cast(value, "float32")
        kernel = kernel.astype("float32") if view.inputs[1].is_constant else ctx.cast(kernel, "float32")
    # A kernel's output channels are those of one group.
    maps = transposed_target(view)[form.channel]
    settings = {
        "stride_nd": window.strides,
        "dilation_nd": window.dilations,
        "num_groups": maps // kernel.shape[1],
    }
    given, pads, half = form.pick(view.shape(2) or ()), window.pads(), len(window.kernel)
    ends = [-1]
    if pads is not None and all(n >= 0 for n in (*window.sizes, *given)):
        ends = [
            (i - 1) * s + k - p - n
            for i, s, k, p, n in zip(given, window.strides, window.extents, pads[:half], window.sizes, strict=True)
        ]
    if pads is not None and all(e >= 0 for e in ends):
        settings |= {"pre_padding": tuple(pads[:half]), "post_padding": tuple(ends)}
        result = weighted(ctx, "deconvolution_nd", value, maps, kernel, None, **settings)
    else:
        whole = weighted(ctx, "deconvolution_nd", value, maps, kernel, None, **settings)
        result = _cut(ctx, view, form, window, whole, value)
    ctx.set(view, 0, ctx.cast(result, dtype), form.perm)


def _cut(ctx: TensorRtContext, view: NodeView, form: Format, window: Window, whole: Any, value: Any) -> Any:
    """Cut the output out of the whole result, with zeros where it reaches beyond that."""
    sizes: list[Dim] = list(window.sizes)
    if any(n < 0 for n in sizes):
        count = (view.shape(0) or ())[0]
        sizes = elements(ctx, ctx.get(view, 0), count)
        sizes = [sizes[d] for d in form.spatial] if count == form.rank else sizes
    pads, half = window.pads(), len(window.kernel)
    starts: list[Dim] = [] if pads is None else list(pads[:half])
    if pads is None:
        for i, n, e, s in zip(dims_of(ctx, value)[2:], sizes, window.extents, window.strides, strict=True):
            covered = plus(ctx, times(ctx, minus(ctx, i, 1), s), e)
            starts.append(floor_div(ctx, larger(ctx, minus(ctx, covered, n), 0), 2))
    return cut(ctx, whole, [0, 0, *starts], [*dims_of(ctx, whole)[:2], *sizes], mode="FILL")


@converter("Conv2DBackpropInput", engine="tensorrt", spec=_spec(4), check=_check)
def conv2d_backprop_input(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Conv2DBackpropInput (kernel HWOI) -> deconvolution (kernel IOHW)."""
    _emit(ctx, view)


@converter("Conv3DBackpropInputV2", engine="tensorrt", spec=_spec(5), check=_check)
def conv3d_backprop_input(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Conv3DBackpropInputV2 (kernel DHWOI) -> deconvolution (kernel IODHW)."""
    _emit(ctx, view)


CONVERTERS = (conv2d_backprop_input, conv3d_backprop_input)
