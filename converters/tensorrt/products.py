"""Sums of products of integers, exact: TensorRT multiplies matrices of floats only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tfgraft.converters.tensorrt.context import TensorRtContext
from tfgraft.converters.tensorrt.emit import binary, reduce, unsqueeze
from tfgraft.graph.view import NodeView, Shape
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_MOST = 1 << 24
_MOST_DIMENSIONS = 8


def check_labels(view: NodeView, labels: Sequence[str]) -> Support:
    """Refuse a product with more dimensions in all than TensorRT's tensors have."""
    if len({label for operand in labels for label in operand}) <= _MOST_DIMENSIONS:
        return SUPPORTED
    return Unsupported("rank", f"{view.op} is taken with up to {_MOST_DIMENSIONS} dimensions in all.", "input 0")


def check_integers(view: NodeView, labels: Sequence[str]) -> Support:
    """Refuse a product of integers that would hold too many numbers at once; unknown dimensions count as one."""
    dimensions = check_labels(view, labels)
    if isinstance(dimensions, Unsupported):
        return dimensions
    sizes: dict[str, int] = {}
    for operand, item in zip(labels, view.inputs, strict=True):
        shape: Shape = item.info.shape
        for label, size in zip(operand, shape or (), strict=True):
            sizes[label] = max(sizes.get(label, 1), size)
    if math.prod(sizes.values()) <= _MOST:
        return SUPPORTED
    return Unsupported(
        "inefficient",
        f"{view.op} of integers is taken up to {_MOST} single products; TensorRT multiplies matrices of floats only.",
        "input 0",
        "Cast to float32 where the numbers are below 2 ** 24.",
    )


def sum_of_products(ctx: TensorRtContext, tensors: Sequence[Any], labels: Sequence[str], output: str) -> Any:
    """Multiply tensors whose dimensions have labels, and sum over the labels that the output does not have.

    Dimensions of size one broadcast. No tensor has a label twice.
    """
    summed = "".join(dict.fromkeys(c for operand in labels for c in operand if c not in output))
    every = output + summed
    result: Any = None
    for tensor, operand in zip(tensors, labels, strict=True):
        order = sorted(range(len(operand)), key=lambda d, operand=operand: every.index(operand[d]))  # type: ignore[misc]
        missing = [d for d, c in enumerate(every) if c not in operand]
        factor = unsqueeze(ctx, ctx.transpose(tensor, order), missing)
        result = factor if result is None else binary(ctx, "PROD", result, factor)
    return reduce(ctx, "SUM", result, range(len(output), len(every)), False)
