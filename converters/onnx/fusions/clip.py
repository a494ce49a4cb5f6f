"""Clip: maxima and minima with constants, one after the other, which ONNX Runtime fuses into a convolution as one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfgraft.converters.onnx.fusions.rewriter import Rewriter

Clamp = tuple[str, float, float]
"""x, low, high of `min(max(x, low), high)`."""


def fuse_clip(rewriter: Rewriter) -> int:
    """Rewrite chains of Relu, Max, Min and Clip with constant bounds as one Clip; return how many there were."""
    count = 0
    taken: set[str] = set()
    for last in reversed(list(rewriter.ctx.nodes)):
        step = _clamp(rewriter, last) if last.name not in taken else None
        if step is None or last.output[0] not in rewriter.shapes:
            continue
        old = [last]
        x, low, high = step
        while (inner := _maker(rewriter, x)) is not None and (before := _clamp(rewriter, inner)) is not None:
            # The inner bounds are clamped by the outer ones: clamping twice is clamping once.
            low, high = min(max(before[1], low), high), min(max(before[2], low), high)
            x = before[0]
            old.append(inner)
        if len(old) == 1 or math.inf in (abs(low), abs(high)):
            continue
        taken.update(node.name for node in old)
        start = len(rewriter.ctx.nodes)
        rewriter.ctx.begin(rewriter.ctx.origins[last.name])
        bounds = [rewriter.ctx.const(np.float32(bound)) for bound in (low, high)]
        rewriter.ctx.node("Clip", [x, *bounds])
        rewriter.replace(old, last, start)
        count += 1
    return count


def _maker(rewriter: Rewriter, value: str) -> Any | None:
    """Return the node that makes a value which only one node reads."""
    if rewriter.only_reader(value) is None or value not in rewriter.shapes:
        return None
    return rewriter.maker(value, "Relu", "Max", "Min", "Clip")


def _clamp(rewriter: Rewriter, node: Any) -> Clamp | None:
    if node.op_type == "Relu":
        return node.input[0], 0.0, math.inf
    if node.op_type == "Clip" and len(node.input) == 3:
        low, high = (rewriter.scalar(name) for name in node.input[1:])
        return (node.input[0], low, high) if low is not None and high is not None and low <= high else None
    if node.op_type in ("Max", "Min") and len(node.input) == 2:
        parts = rewriter.split(node)
        bound = rewriter.scalar(parts[1]) if parts is not None else None
        if parts is None or bound is None:
            return None
        return (parts[0], bound, math.inf) if node.op_type == "Max" else (parts[0], -math.inf, bound)
    return None
