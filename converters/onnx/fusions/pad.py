"""Zero padding in front of a convolution or a maximum: made part of it.

Keras writes the padding of its older nets as a layer. As a node of its own it copies the image, and on the CPU it
leaves the blocked layout that ONNX Runtime keeps convolutions in. ONNX Runtime itself moves a padding only where
nothing is between the two, no Transpose, and no Cast to half precision either.
"""

from __future__ import annotations

from typing import Any

from tfgraft.converters.onnx.fusions.quantized_pad import is_zero
from tfgraft.converters.onnx.fusions.rewriter import Rewriter, attributes

_NEVER_NEGATIVE = ("Relu", "Sigmoid", "Softmax")


def fuse_pad(rewriter: Rewriter) -> int:
    """Move every such Pad; return how many there were."""
    count = 0
    for window in [node for node in rewriter.ctx.nodes if node.op_type in ("Conv", "MaxPool")]:
        pad, between = _above(rewriter, window)
        pads = _pads(rewriter, pad, between, window) if pad is not None else None
        if pads is not None and (window.op_type == "Conv" or _takes_zeros(rewriter, pad, pads, window)):
            _rewrite(rewriter, pad, between, window, pads)
            count += 1
    return count


def _above(rewriter: Rewriter, window: Any) -> tuple[Any | None, list[Any]]:
    """Return the Pad whose result alone a node reads, if there is one, and what is in between, from the Pad on."""
    between: list[Any] = []
    value = window.input[0]
    while rewriter.only_reader(value) is not None:
        pad = rewriter.maker(value, "Pad")
        if pad is not None:
            return pad, between
        node = rewriter.maker(value, "Transpose", "Cast")
        if node is None:
            break
        between.insert(0, node)
        value = node.input[0]
    return None, []


def _pads(rewriter: Rewriter, pad: Any, between: list[Any], window: Any) -> list[int] | None:
    """Return the pads of the two together, None if they are not both constant, zero, and of the image's sides alone."""
    amounts, attrs = rewriter.array(pad.input[1]), attributes(window)
    if amounts is None or not is_zero(rewriter, pad) or "auto_pad" in attrs:
        return None
    pairs = amounts.reshape(2, -1)
    for node in between:
        if node.op_type == "Transpose":
            pairs = pairs[:, attributes(node)["perm"]]
    if pairs[:, :2].any() or (pairs < 0).any():
        return None
    added = [int(amount) for amount in pairs[:, 2:].reshape(-1)]
    return [a + b for a, b in zip(added, attrs.get("pads", [0] * len(added)), strict=True)]


def _takes_zeros(rewriter: Rewriter, pad: Any, pads: list[int], window: Any) -> bool:
    """Tell whether a maximum is the same with and without zeros at the edge: every window has a value of the image."""
    attrs = attributes(window)
    kernel, dense = attrs["kernel_shape"], all(d == 1 for d in attrs.get("dilations", ()))
    inside = dense and all(amount < size for amount, size in zip(pads, [*kernel, *kernel], strict=True))
    return inside and rewriter.maker(pad.input[0], *_NEVER_NEGATIVE) is not None


def _rewrite(rewriter: Rewriter, pad: Any, between: list[Any], window: Any, pads: list[int]) -> None:
    ctx = rewriter.ctx
    start = len(ctx.nodes)
    ctx.begin(ctx.origins[window.name])
    value = pad.input[0]
    for node in between:
        value = ctx.node(node.op_type, [value], **attributes(node))
    ctx.node(window.op_type, [value, *window.input[1:]], **{**attributes(window), "pads": pads})
    rewriter.replace([pad, *between, window], window, start)
