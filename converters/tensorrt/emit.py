"""Short forms for layers that many converters add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgraft.converters.tensorrt.context import TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, is_static, vector


def binary(ctx: TensorRtContext, op: str, a: Any, b: Any) -> Any:
    """Add an elementwise layer of two tensors of one type and rank; `op` is a member of `ElementWiseOperation`."""
    return ctx.add("elementwise", a, b, getattr(ctx.trt.ElementWiseOperation, op))


def unary(ctx: TensorRtContext, op: str, x: Any) -> Any:
    """Add a unary layer; `op` is a member of `UnaryOperation`."""
    return ctx.add("unary", x, getattr(ctx.trt.UnaryOperation, op))


def activation(ctx: TensorRtContext, op: str, x: Any, alpha: float | None = None, beta: float | None = None) -> Any:
    """Add an activation layer; `op` is a member of `ActivationType`."""
    return ctx.add("activation", x, getattr(ctx.trt.ActivationType, op), alpha=alpha, beta=beta)


def like(ctx: TensorRtContext, x: Any, value: float) -> Any:
    """Return a constant of x's type and rank, all its dimensions one."""
    return ctx.const(np.full((1,) * len(x.shape), value), ctx.dtype(x))


def select(ctx: TensorRtContext, condition: Any, a: Any, b: Any) -> Any:
    """Add a select layer over three tensors of one rank."""
    return ctx.add("select", condition, a, b)


def unsqueeze(ctx: TensorRtContext, x: Any, axes: Sequence[int]) -> Any:
    """Insert dimensions of size one, at these positions of the result; nothing for no axes."""
    return ctx.add("unsqueeze", x, ctx.const(np.array(axes, np.int64))) if len(axes) else x


def squeeze(ctx: TensorRtContext, x: Any, axes: Sequence[int]) -> Any:
    """Remove dimensions of size one; nothing for no axes."""
    return ctx.add("squeeze", x, ctx.const(np.array(axes, np.int64))) if len(axes) else x


def reshape(ctx: TensorRtContext, x: Any, dims: Sequence[Dim]) -> Any:
    """Add a reshape; one of the dimensions may be -1, and 0 is a dimension of size zero."""
    if is_static(dims):
        return ctx.add("shuffle", x, reshape_dims=tuple(dims), zero_is_placeholder=False)
    return ctx.add("shuffle", x, inputs={1: vector(ctx, dims)}, zero_is_placeholder=False)


def cut(
    ctx: TensorRtContext,
    x: Any,
    start: Sequence[Dim],
    size: Sequence[Dim],
    stride: Sequence[Dim] | None = None,
    mode: str | None = None,
    fill: Any = None,
) -> Any:
    """Add a slice, one value a dimension; a size may be a tensor.

    Args:
        mode: what is beyond the edges, a member of `SampleMode`.
        fill: with mode "FILL", a scalar of x's type that is beyond the edges; default zero.
    """
    steps = [1] * len(start) if stride is None else list(stride)
    given = [list(start), list(size), steps]
    fixed = [tuple(d) if is_static(d) else (0,) * len(d) for d in given]
    inputs = {k + 1: vector(ctx, d) for k, d in enumerate(given) if not is_static(d)}
    if fill is not None:
        inputs[4] = fill
    beyond = None if mode is None else getattr(ctx.trt.SampleMode, mode)
    return ctx.add("slice", x, *fixed, inputs=inputs, mode=beyond)


def concat(ctx: TensorRtContext, tensors: Sequence[Any], axis: int) -> Any:
    """Add a concatenation along an axis that is not negative; one tensor stays as it is."""
    return tensors[0] if len(tensors) == 1 else ctx.add("concatenation", list(tensors), axis=axis)


def reduce(ctx: TensorRtContext, op: str, x: Any, axes: Sequence[int], keep: bool) -> Any:
    """Add a reduction over some axes (not negative); `op` is a member of `ReduceOperation`."""
    mask = sum(1 << a for a in set(axes))
    return ctx.add("reduce", x, getattr(ctx.trt.ReduceOperation, op), mask, keep) if mask else x
