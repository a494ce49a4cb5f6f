"""Reading values for axes and reshapes in ONNX."""

from __future__ import annotations

import numpy as np

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import keeps_sequence
from tfgraft.graph.view import NodeView


def same_sequence(ctx: OnnxContext, view: NodeView, i: int) -> tuple[str, bool]:
    """Return a value whose elements are in TensorFlow's row-major sequence, and whether its dimensions are too."""
    perm = ctx.perm_of(view, i)
    kept = keeps_sequence(perm, view.shape(i))
    return ctx.get(view, i, perm if kept else None), not kept


def int64(ctx: OnnxContext, view: NodeView, i: int) -> str:
    """Return integer input `i` as int64, cast by numpy if it is a constant."""
    value = view.const(i)
    if value is not None:
        return ctx.const(value.astype(np.int64))
    name = ctx.get(view, i)
    return name if view.dtype(i) == "int64" else ctx.cast(name, "int64")
