"""Convolutions of single elements that skip elements: the skipping done on the integers before.

Such a convolution (1 x 1 with strides, as at the end of each stage of a ResNet) reads one element of several. OpenVINO
skips them ahead of time, by a maximum over windows of one element, but between DequantizeLinear and the convolution:
the two are then in float32.
"""

from __future__ import annotations

from typing import Any

from tfgraft.converters.onnx.fusions.rewriter import Rewriter, attributes


def fuse_quantized_stride(rewriter: Rewriter) -> int:
    """Skip on the integers where all readers of a dequantized value skip alike; return how many such values there were.

    The skipping is a MaxPool, which engines have for integers.
    """
    count = 0
    for dequantize in [node for node in rewriter.ctx.nodes if node.op_type == "DequantizeLinear"]:
        readers = rewriter.readers(dequantize.output[0])
        strides = {_strides(node) if node.input[0] == dequantize.output[0] else None for node in readers}
        if len(strides) == 1 and None not in strides and rewriter.dims(dequantize.input[1]) == ():
            _rewrite(rewriter, dequantize, readers, list(strides.pop() or ()))
            count += 1
    return count


def _strides(node: Any) -> tuple[int, ...] | None:
    """Return how a convolution of single elements skips; None if it does not, or is something else."""
    if node.op_type != "Conv":
        return None
    attrs = attributes(node)
    strides = tuple(attrs.get("strides", ()))
    whole = any(attrs.get("pads", ())) or any(size != 1 for size in attrs.get("kernel_shape", (0,)))
    return strides if max(strides, default=1) > 1 and not whole and "auto_pad" not in attrs else None


def _rewrite(rewriter: Rewriter, dequantize: Any, convolutions: list[Any], strides: list[int]) -> None:
    ctx, ones = rewriter.ctx, [1] * len(strides)
    start = len(ctx.nodes)
    ctx.begin(ctx.origins[dequantize.name])
    kept = ctx.node("MaxPool", [dequantize.input[0]], kernel_shape=ones, strides=strides)
    value = ctx.node("DequantizeLinear", [kept, *dequantize.input[1:]])
    rewriter.insert(convolutions[0], start)
    for convolution in convolutions:
        start = len(ctx.nodes)
        ctx.begin(ctx.origins[convolution.name])
        ctx.node("Conv", [value, *convolution.input[1:]], **{**attributes(convolution), "strides": ones})
        rewriter.replace([convolution], convolution, start)
