"""PRelu: `relu(x) + a * -relu(-x)`, as Keras and converted graphs write it.

ONNX Runtime keeps convolutions in a blocked layout and leaves it for any op that it has no blocked kernel for, PRelu
among them. As `a * x + (1 - a) * relu(x)`, both products being depthwise convolutions of size one, it stays in that
layout. Between integer kernels it is `relu(x) + min(a * x, 0)`, both quantized with the steps of the sum: only one of
them is not zero, so that nothing is rounded twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfgraft.converters.onnx.fusions.integers import quantization_behind, requantize, scale_channels, step_of
from tfgraft.converters.onnx.fusions.rewriter import Rewriter


def fuse_prelu(rewriter: Rewriter) -> int:
    """Rewrite every PRelu pattern on channels-first images with one slope a channel; return how many there were."""
    count = 0
    for add in [node for node in rewriter.ctx.nodes if node.op_type == "Add"]:
        for positive, negative in (tuple(add.input), tuple(add.input)[::-1]):
            found = _match(rewriter, positive, negative)
            if found is not None:
                x, slope, sign, old = found
                if not _rewrite_integers(rewriter, x, slope, sign, [*old, add], add):
                    _rewrite(rewriter, x, slope, sign, [*old, add], add)
                count += 1
                break
    return count


def _match(rewriter: Rewriter, positive: str, negative: str) -> tuple[str, str, int, list[Any]] | None:
    """Return x, the slope's initializer, its sign, and the nodes that go."""
    relu, product = rewriter.maker(positive, "Relu"), rewriter.maker(negative, "Mul")
    if relu is None or product is None or rewriter.only_reader(positive) is None:
        return None
    parts = rewriter.split(product)
    if parts is None or rewriter.only_reader(negative) is None:
        return None
    value, slope = parts
    old, sign = [relu, product], -1
    outer = rewriter.maker(value, "Neg")
    if outer is not None:
        old.append(outer)
        value, sign = outer.input[0], 1
    inner = rewriter.maker(value, "Relu")
    flipped = rewriter.maker(inner.input[0], "Neg") if inner is not None else None
    if inner is None or flipped is None or flipped.input[0] != relu.input[0]:
        return None
    old += [inner, flipped]
    if any(rewriter.only_reader(node.output[0]) is None for node in old):
        return None
    x = relu.input[0]
    shape, dims = rewriter.dims(x), rewriter.dims(slope)
    if shape is None or dims is None or len(shape) != 4 or shape[1] < 1:
        return None
    # One slope for each channel; others (one for each pixel) keep their nodes.
    if dims not in ((1, shape[1], 1, 1), (shape[1], 1, 1)):
        return None
    return x, slope, sign, old


def _rewrite(rewriter: Rewriter, x: str, slope: str, sign: int, old: list[Any], last: Any) -> None:
    ctx = rewriter.ctx
    start = len(ctx.nodes)
    ctx.begin(ctx.origins[last.name])
    channels = (rewriter.dims(x) or ())[1]
    kernel = ctx.node("Reshape", [slope, ctx.ints((channels, 1, 1, 1))])
    if sign < 0:
        kernel = ctx.node("Neg", [kernel])
    # These nodes compute on constants: ONNX Runtime folds them when the model is loaded.
    rest = ctx.node("Sub", [ctx.const(np.float32(1)), kernel])
    slopes = rewriter.array(slope)
    if slopes is not None and np.all(sign * slopes <= 1):
        # A factor that is not negative may go inside, where the maximum is taken by the convolution itself.
        positive = ctx.node("Relu", [ctx.node("Conv", [x, rest], group=channels, kernel_shape=[1, 1])])
    else:
        positive = ctx.node("Conv", [ctx.node("Relu", [x]), rest], group=channels, kernel_shape=[1, 1])
    scaled = ctx.node("Conv", [x, kernel], group=channels, kernel_shape=[1, 1])
    ctx.node("Add", [positive, scaled])
    rewriter.replace(old, last, start)


def _rewrite_integers(rewriter: Rewriter, x: str, slope: str, sign: int, old: list[Any], last: Any) -> bool:
    """Rewrite a pattern between integer kernels; return whether it is one."""
    ctx = rewriter.ctx
    step, slopes = step_of(rewriter, x) if "int32" in ctx.quantized else None, rewriter.array(slope)
    how = quantization_behind(rewriter, last.output[0])
    if step is None or slopes is None or how is None:
        return False
    slopes = sign * slopes.reshape(-1)
    ones = np.ones_like(slopes)
    start = len(ctx.nodes)
    ctx.begin(ctx.origins[last.name])
    # The integers end at zero: for them, neither the maximum nor the minimum is there to be computed.
    zero, top = (ctx.const(np.uint8(end)) for end in (0, 255))
    ends = [ctx.const(np.float32(end)) for end in (np.finfo(np.float32).min, 0)]
    above = requantize(ctx, ctx.node("Relu", [scale_channels(ctx, x, step, ones)]), how[0], zero)
    if np.all(slopes >= 0):
        below = requantize(ctx, ctx.node("Clip", [scale_channels(ctx, x, step, slopes), *ends]), how[0], top)
    else:
        below = requantize(ctx, ctx.node("Clip", [scale_channels(ctx, x, step, ones), *ends]), ctx.const(step), top)
        below = requantize(ctx, scale_channels(ctx, below, step, slopes), *how)
    ctx.node("Add", [above, below])
    rewriter.replace(old, last, start)
    return True
