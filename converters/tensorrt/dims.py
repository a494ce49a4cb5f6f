"""Dimensions: each is a number where it is known, else an int64 tensor of shape [1] that TensorRT computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfgraft.converters.tensorrt.context import TensorRtContext

Dim = Any
"""An `int`, or an int64 `ITensor` of shape [1]."""


def dims_of(ctx: TensorRtContext, tensor: Any) -> list[Dim]:
    """Return the dimensions of a tensor."""
    shape = tuple(tensor.shape)
    if all(d >= 0 for d in shape):
        return list(shape)
    whole = ctx.add("shape", tensor)
    return [d if d >= 0 else pick(ctx, whole, k) for k, d in enumerate(shape)]


def elements(ctx: TensorRtContext, vector: Any, count: int) -> list[Dim]:
    """Return the `count` elements of an integer vector as dimensions."""
    vector = ctx.cast(vector, "int64")
    return [pick(ctx, vector, k) for k in range(count)]


def pick(ctx: TensorRtContext, vector: Any, k: int) -> Any:
    """Return element `k` of a vector as a tensor of shape [1]."""
    return ctx.add("slice", vector, (k,), (1,), (1,))


def vector(ctx: TensorRtContext, dims: Sequence[Dim]) -> Any:
    """Return dimensions as one int64 tensor of rank 1."""
    if is_static(dims):
        return ctx.const(np.array(dims, np.int64).reshape(-1))
    parts: list[Any] = []
    known: list[int] = []
    for dim in [*dims, None]:
        if isinstance(dim, int):
            known.append(dim)
            continue
        if known:
            parts.append(ctx.const(np.array(known, np.int64)))
            known = []
        if dim is not None:
            parts.append(dim)
    return parts[0] if len(parts) == 1 else ctx.add("concatenation", parts, axis=0)


def is_static(dims: Sequence[Dim]) -> bool:
    """Tell whether all dimensions are known."""
    return all(isinstance(d, int) for d in dims)


def _combine(
    op: str, known: Callable[[int, int], int], neutral: int | None = None
) -> Callable[[TensorRtContext, Dim, Dim], Dim]:
    def combine(ctx: TensorRtContext, a: Dim, b: Dim) -> Dim:
        if isinstance(a, int) and isinstance(b, int):
            return known(a, b)
        if isinstance(b, int) and b == neutral:
            return a
        a, b = (ctx.const(np.array([x], np.int64)) if isinstance(x, int) else x for x in (a, b))
        return ctx.add("elementwise", a, b, getattr(ctx.trt.ElementWiseOperation, op))

    return combine


plus = _combine("SUM", lambda a, b: a + b, 0)
minus = _combine("SUB", lambda a, b: a - b, 0)
times = _combine("PROD", lambda a, b: a * b, 1)
floor_div = _combine("FLOOR_DIV", lambda a, b: a // b, 1)
larger = _combine("MAX", max)
smaller = _combine("MIN", min)


def product(ctx: TensorRtContext, dims: Sequence[Dim]) -> Dim:
    """Return the product of dimensions; 1 of none."""
    result: Dim = 1
    for dim in dims:
        result = dim if isinstance(result, int) and result == 1 else times(ctx, result, dim)
    return result
