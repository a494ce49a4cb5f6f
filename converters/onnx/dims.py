"""Shapes that mix known sizes with sizes computed when running."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tfgraft.converters.onnx.context import OnnxContext

Dim: TypeAlias = int | Callable[[], str]
"""A size: an int, or a function that emits its computation and returns an int64 value of shape [1]."""


def dim_of(ctx: OnnxContext, value: str, axis: int, known: int) -> Dim:
    """Return size `axis` of a value: `known` if that is not negative, else a computed one."""
    if known >= 0:
        return known
    return lambda: ctx.node("Shape", [value], start=axis, end=axis + 1)


def scaled(ctx: OnnxContext, dim: Dim, op: str, by: int) -> Dim:
    """Return a size multiplied ("Mul") or divided ("Div") by a positive int."""
    if isinstance(dim, int):
        return dim * by if op == "Mul" else dim // by
    return lambda: ctx.node(op, [dim(), ctx.ints([by])])


def reshape(ctx: OnnxContext, value: str, dims: Sequence[Dim]) -> str:
    """Emit a Reshape; a single unknown size is left to the engine where no known size is zero."""
    computed = sum(not isinstance(d, int) for d in dims)
    result: str
    if computed == 1 and all(not isinstance(d, int) or d > 0 for d in dims):
        result = ctx.node("Reshape", [value, ctx.ints([d if isinstance(d, int) else -1 for d in dims])])
        return result
    fixed = [d for d in dims if isinstance(d, int)]
    if len(fixed) == len(dims):
        shape = ctx.ints(fixed)
    else:
        shape = ctx.node("Concat", [ctx.ints([d]) if isinstance(d, int) else d() for d in dims], axis=0)
    result = ctx.node("Reshape", [value, shape], allowzero=1)
    return result
