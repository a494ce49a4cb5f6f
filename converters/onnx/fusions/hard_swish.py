"""HardSwish: `x * relu6(x + 3) / 6`, in the orders in which graphs write it.

`x / 6 + 1/2`, clipped to [0, 1], is a depthwise convolution of size one with a clip behind it, which ONNX Runtime fuses
and keeps in its blocked layout; written out, the pattern leaves that layout and comes back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfgraft.converters.onnx.fusions.rewriter import Rewriter

_SIXTH = 1 / 6


def fuse_hard_swish(rewriter: Rewriter) -> int:
    """Rewrite every `x * clip(x + 3, 0, 6) * 1/6` on channels-first images; return how many there were."""
    count = 0
    for clip in [node for node in rewriter.ctx.nodes if node.op_type == "Clip"]:
        found = _match(rewriter, clip)
        if found is not None:
            x, old, last = found
            _rewrite(rewriter, x, old, last)
            count += 1
    return count


def _match(rewriter: Rewriter, clip: Any) -> tuple[str, list[Any], Any] | None:
    """Return x, the nodes that go, and the last of them."""
    if [rewriter.scalar(name) for name in clip.input[1:]] != [0.0, 6.0]:
        return None
    shift = rewriter.maker(clip.input[0], "Add")
    parts = rewriter.split(shift) if shift is not None else None
    if shift is None or parts is None or rewriter.scalar(parts[1]) != 3.0:
        return None
    x = parts[0]
    shape = rewriter.dims(x)
    if shape is None or len(shape) != 4 or shape[1] < 1 or rewriter.only_reader(shift.output[0]) is None:
        return None
    # Either x * (clip / 6), or (x * clip) / 6.
    first = rewriter.only_reader(clip.output[0])
    second = rewriter.only_reader(first.output[0]) if first is not None else None
    if first is None or second is None:
        return None
    for by_x, by_sixth in ((first, second), (second, first)):
        other = first if by_sixth is second else clip
        if _multiplies(by_x, x, first.output[0] if by_x is second else clip.output[0]) and _is_sixth(
            rewriter, by_sixth, other.output[0]
        ):
            return x, [shift, clip, first, second], second
    return None


def _multiplies(node: Any, x: str, value: str) -> bool:
    return node.op_type == "Mul" and sorted(node.input) == sorted((x, value)) and x != value


def _is_sixth(rewriter: Rewriter, node: Any, value: str) -> bool:
    if node.op_type not in ("Mul", "Div") or value not in node.input:
        return False
    other = node.input[1] if node.input[0] == value else node.input[0]
    factor = rewriter.scalar(other)
    if factor is None or (node.op_type == "Div" and other != node.input[1]):
        return False
    return abs((1 / factor if node.op_type == "Div" and factor else factor) - _SIXTH) < 1e-6


def _rewrite(rewriter: Rewriter, x: str, old: list[Any], last: Any) -> None:
    ctx = rewriter.ctx
    start = len(ctx.nodes)
    ctx.begin(ctx.origins[last.name])
    channels = (rewriter.dims(x) or ())[1]
    kernel = ctx.const(np.full((channels, 1, 1, 1), _SIXTH, np.float32))
    bias = ctx.const(np.full(channels, 0.5, np.float32))
    gate = ctx.node("Conv", [x, kernel, bias], group=channels, kernel_shape=[1, 1])
    gate = ctx.node("Clip", [gate, ctx.const(np.float32(0)), ctx.const(np.float32(1))])
    ctx.node("Mul", [x, gate])
    rewriter.replace(old, last, start)
