"""Zero padding of quantized tensors: left to the convolution that reads them, or done on the integers.

A Pad next to QuantizeLinear and DequantizeLinear would be computed in floating point. As zero is one of the quantized
values, padding and quantizing give the same in either order.
"""

from __future__ import annotations

from typing import Any

from tfgraft.converters.onnx.fusions.rewriter import Rewriter


def fuse_quantized_pad(rewriter: Rewriter) -> int:
    """Move every such Pad; return how many there were."""
    count = 0
    for pad in [node for node in rewriter.ctx.nodes if node.op_type == "Pad"]:
        before, after = rewriter.maker(pad.input[0], "DequantizeLinear"), _quantization(rewriter, pad)
        how = (before or after[-1]).input[1:3] if before is not None or after else None
        scalar = how is not None and rewriter.dims(how[0]) == ()
        if scalar and is_zero(rewriter, pad) and rewriter.is_constant(pad.input[1]):
            _rewrite(rewriter, pad, before, after)
            count += 1
    return count


def _quantization(rewriter: Rewriter, pad: Any) -> list[Any]:
    """Return the QuantizeLinear and the DequantizeLinear that alone read a Pad, one after the other, if they do."""
    quantize = rewriter.only_reader(pad.output[0])
    if quantize is None or quantize.op_type != "QuantizeLinear":
        return []
    dequantize = rewriter.only_reader(quantize.output[0])
    return [quantize, dequantize] if dequantize is not None and dequantize.op_type == "DequantizeLinear" else []


def is_zero(rewriter: Rewriter, pad: Any) -> bool:
    """Tell whether a Pad pads all axes that it pads with zeros."""
    constant = all(a.name != "mode" or a.s == b"constant" for a in pad.attribute)
    return constant and (len(pad.input) < 3 or rewriter.scalar(pad.input[2]) == 0) and len(pad.input) < 4


def _rewrite(rewriter: Rewriter, pad: Any, before: Any, after: list[Any]) -> None:
    ctx, (x, pads) = rewriter.ctx, pad.input[:2]
    last = after[-1] if after else pad
    start = len(ctx.nodes)
    ctx.begin(ctx.origins[pad.name])
    if after and (before is None or list(before.input[1:]) != list(after[-1].input[1:])):
        step, zero = after[-1].input[1:]
        integers, values = ctx.node("QuantizeLinear", [x, step, zero]), ""
    else:
        integers, step, zero = before.input
        values = x
    if _convolution_pads(rewriter, last.output[0], pads):
        ctx.node("Pad", [values or ctx.node("DequantizeLinear", [integers, step, zero]), pads])
    else:
        ctx.node("DequantizeLinear", [ctx.node("Pad", [integers, pads, zero]), step, zero])
    rewriter.replace([pad, *after], last, start)


def _convolution_pads(rewriter: Rewriter, padded: str, pads: str) -> bool:
    """Tell whether ONNX Runtime makes a padding part of the convolution that reads the padded value."""
    reader, amounts = rewriter.only_reader(padded), rewriter.array(pads)
    if reader is None or reader.op_type != "Conv" or reader.input[0] != padded or amounts is None:
        return False
    explicit = any(attribute.name == "pads" for attribute in reader.attribute)
    outer = amounts.reshape(2, -1)[:, :2]
    return explicit and not outer.any() and bool((amounts >= 0).all())
