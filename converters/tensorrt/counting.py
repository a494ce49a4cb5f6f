"""Counting along a dimension: 0, 1, 2, ... to compare indices with."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfgraft.converters.tensorrt.context import TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim
from tfgraft.converters.tensorrt.emit import unsqueeze


def count(ctx: TensorRtContext, size: Dim, dtype: str, rank: int = 1, axis: int = 0) -> Any:
    """Return 0, 1, ..., size - 1 along one axis of a tensor of some rank whose other dimensions are one.

    Args:
        dtype: "int32", "int64" or "float32".
        axis: not negative.
    """
    others = [d for d in range(rank) if d != axis]
    if isinstance(size, int):
        return ctx.const(np.expand_dims(np.arange(size, dtype=dtype), tuple(others)))
    start, step = ctx.const(np.array(0, dtype)), ctx.const(np.array([1], dtype))
    line = ctx.trt.FillOperation.LINSPACE
    values = ctx.add("fill", (0,), line, ctx.type(dtype), inputs={0: size, 1: start, 2: step})
    return unsqueeze(ctx, values, others)
