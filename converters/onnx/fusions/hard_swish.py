"""HardSwish: `x * relu6(x + 3) / 6`, in the orders in which graphs write it.

`x * k * clip(x + s, a, b)` is `x * clip(k * x + k * s, k * a, k * b)` for positive `k`: a depthwise convolution of size
one with a clip behind it, which ONNX Runtime fuses and keeps in its blocked layout. Written out, the pattern leaves
that layout and comes back. Between integer kernels the same is one of integers, and the gate quantized too: its steps
are 255 of its range, so that the result is off by no more than one of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfgraft.converters.onnx.fusions.integers import quantization_behind, requantize, scale_channels, step_of
from tfgraft.converters.onnx.fusions.rewriter import Rewriter


@dataclass(frozen=True)
class _Match:
    """`x * factor * clip(x + shift, low, high)`, made by the nodes `old`, the last of them being `last`."""

    x: str
    factor: float
    shift: float
    low: float
    high: float
    old: tuple[Any, ...]
    last: Any


def fuse_hard_swish(rewriter: Rewriter) -> int:
    """Rewrite every such pattern on channels-first images; return how many there were."""
    count = 0
    for clip in [node for node in rewriter.ctx.nodes if node.op_type == "Clip" and len(node.input) == 3]:
        found = _match(rewriter, clip)
        if found is not None:
            _rewrite(rewriter, found)
            count += 1
    return count


def _match(rewriter: Rewriter, clip: Any) -> _Match | None:
    low, high = (rewriter.scalar(name) for name in clip.input[1:])
    add = rewriter.maker(clip.input[0], "Add")
    parts = rewriter.split(add) if add is not None else None
    shift = rewriter.scalar(parts[1]) if parts is not None else None
    if add is None or parts is None or low is None or high is None or shift is None:
        return None
    x = parts[0]
    shape = rewriter.dims(x)
    reader = rewriter.only_reader(clip.output[0])
    if (
        shape is None
        or len(shape) != 4
        or shape[1] < 1
        or reader is None
        or rewriter.only_reader(clip.input[0]) is None
    ):
        return None
    for product, scaled, last in _orders(rewriter, clip.output[0], x, reader):
        factor = _factor(rewriter, scaled)
        if factor is not None and factor > 0 and rewriter.only_reader(_inner(product, scaled, last)) is not None:
            return _Match(x, factor, shift, low, high, (add, clip, product, scaled), last)
    return None


def _orders(rewriter: Rewriter, clipped: str, x: str, reader: Any) -> list[tuple[Any, Any, Any]]:
    """Return candidates (the product with x, the scaling by a constant, whichever of the two comes last)."""
    after = rewriter.only_reader(reader.output[0])
    found = []
    if reader.op_type == "Mul" and set(reader.input) == {clipped, x} and after is not None:
        found.append((reader, after, after))  # (x * clip) * k
    elif after is not None and after.op_type == "Mul" and set(after.input) == {reader.output[0], x}:
        found.append((after, reader, after))  # x * (clip * k)
    if reader.op_type == "Mul" and clipped in reader.input:
        other = reader.input[1] if reader.input[0] == clipped else reader.input[0]
        for op in ("Mul", "Div"):
            scaled = rewriter.maker(other, op)
            if scaled is not None and x in scaled.input:
                found.append((reader, scaled, reader))  # (x * k) * clip
    return found


def _inner(product: Any, scaled: Any, last: Any) -> str:
    """Return the value between the two multiplications: nothing else may read it."""
    name: str = (product if last is scaled else scaled).output[0]
    return name


def _factor(rewriter: Rewriter, scaled: Any) -> float | None:
    if scaled.op_type == "Mul":
        parts = rewriter.split(scaled)
        return rewriter.scalar(parts[1]) if parts is not None else None
    if scaled.op_type == "Div":
        divisor = rewriter.scalar(scaled.input[1])
        return 1 / divisor if divisor else None
    return None


def _rewrite(rewriter: Rewriter, match: _Match) -> None:
    ctx = rewriter.ctx
    start = len(ctx.nodes)
    ctx.begin(ctx.origins[match.last.name])
    channels, k = (rewriter.dims(match.x) or ())[1], match.factor
    step = step_of(rewriter, match.x) if "int32" in ctx.quantized else None
    if step is not None and match.low == 0 < match.high and quantization_behind(rewriter, match.last.output[0]):
        gate = scale_channels(ctx, match.x, step, np.full(channels, k, np.float32), k * match.shift)
        gate = ctx.node("Clip", [gate, ctx.const(np.float32(0)), ctx.const(np.float32(k * match.high))])
        gate = requantize(ctx, gate, ctx.const(np.float32(k * match.high / 255)), ctx.const(np.uint8(0)))
        ctx.node("Mul", [match.x, gate])
        rewriter.replace(match.old, match.last, start)
        return
    kernel = ctx.const(np.full((channels, 1, 1, 1), k, np.float32))
    bias = ctx.const(np.full(channels, k * match.shift, np.float32))
    gate = ctx.node("Conv", [match.x, kernel, bias], group=channels, kernel_shape=[1, 1])
    gate = ctx.node("Clip", [gate, ctx.const(np.float32(k * match.low)), ctx.const(np.float32(k * match.high))])
    ctx.node("Mul", [match.x, gate])
    rewriter.replace(match.old, match.last, start)
