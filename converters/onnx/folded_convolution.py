"""Dilated convolutions along one line: folded into rows, where ONNX Runtime convolves them without dilation.

A signal of width W, cut into rows of D samples, has the samples that a kernel with dilation D meets below each other:
convolving columns is the same. Undilated kernels are quicker, and many rows occupy all threads where one line (height
1) occupies one: measured 1.4 times at D = 10 and 1.75 times at D = 25, 32 channels, 15,000 samples, two threads; below
about 8 the copies cost more than it brings.
"""

from __future__ import annotations

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import NCHW
from tfgraft.converters.windows import Format, Window, explicit_pairs
from tfgraft.graph.view import NodeView

_LEAST_DILATION = 8
_LEAST_WIDTH = 1024


def folds(view: NodeView) -> bool:
    """Tell whether a Conv2D is one that is quicker folded: one line in NHWC, dilated, its kernel a constant."""
    shape, kernel = view.shape(0), view.shape(1)
    if view.attr("data_format", "NHWC") != "NHWC" or shape is None or kernel is None or not view.inputs[1].is_constant:
        return False
    dilation = (view.attr("dilations") or (1, 1, 1, 1))[2]
    line = shape[1] == 1 and kernel[0] == 1 and tuple(view.attr("strides"))[1:3] == (1, 1)
    wide = shape[2] < 0 or shape[2] >= max(_LEAST_WIDTH, 4 * dilation * kernel[1])
    return (
        line
        and dilation >= _LEAST_DILATION
        and kernel[1] > 1
        and shape[3] == kernel[2]
        and wide
        and _pads(view)[0] == 0
    )


def emit_folded(ctx: OnnxContext, view: NodeView) -> str:
    """Emit a convolution for which `folds` holds; return its channels-first value."""
    _, left, right = _pads(view)
    rows, dilation = (view.shape(1) or ())[1], (view.attr("dilations") or (1, 1, 1, 1))[2]
    value = ctx.get(view, 0, NCHW)
    width = (view.shape(0) or ())[2]
    # The last row is filled up with zeros; what comes of them is cut off again.
    if width >= 0:
        extra = ctx.ints([-(width + left + right) % dilation])
        end = ctx.ints([width + left + right - (rows - 1) * dilation])
    else:
        total = ctx.node("Add", [ctx.node("Shape", [value], start=3), ctx.ints([left + right])])
        by = ctx.ints([dilation])
        extra = ctx.node("Mod", [ctx.node("Neg", [total]), by])
        end = ctx.node("Sub", [total, ctx.ints([(rows - 1) * dilation])])
    after = ctx.node("Add", [extra, ctx.ints([right])])
    pads = ctx.node("Concat", [ctx.ints([0, 0, 0, left, 0, 0, 0]), after], axis=0)
    value = ctx.node("Reshape", [ctx.node("Pad", [value, pads]), ctx.ints([0, 0, -1, dilation])])
    # The kernel [1, K, I, O] stands upright: [O, I, K, 1].
    value = ctx.node("Conv", [value, ctx.weight(view, 1, (3, 2, 1, 0))], kernel_shape=[rows, 1])
    value = ctx.node("Reshape", [value, ctx.ints([0, 0, 1, -1])])
    result: str = ctx.node("Slice", [value, ctx.ints([0]), end, ctx.ints([3])])
    return result


def _pads(view: NodeView) -> tuple[int, int, int]:
    """Return the padding of the height (0 if there is none), and of the width before and after."""
    form = Format.of(view, 4)
    shape, kernel = view.shape(0) or (), view.shape(1) or ()
    dilations = form.pick(view.attr("dilations") or (1, 1, 1, 1))
    window = Window(form.pick(shape), kernel[:2], (1, 1), dilations, view.attr("padding"), explicit_pairs(view, form))
    pads = window.pads() or [0] * 4
    return pads[0] + pads[2], pads[1], pads[3]
