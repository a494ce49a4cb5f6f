"""Reading values for axes and reshapes in ONNX."""

from __future__ import annotations

import numpy as np

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.graph.view import NodeView


def same_sequence(ctx: OnnxContext, view: NodeView, i: int) -> tuple[str, bool]:
    """Return a value whose elements are in TensorFlow's row-major sequence, and whether its dimensions are too.

    Moving dimensions of size one does not change the sequence, so such a value serves a reshape as it is held.
    """
    perm, shape = ctx.perm_of(view, i), view.shape(i)
    if perm is not None and shape is not None:
        large = [d for d in perm if shape[d] != 1]
        if large == sorted(large):
            return ctx.get(view, i, perm), False
    return ctx.get(view, i), True


def int64(ctx: OnnxContext, view: NodeView, i: int) -> str:
    """Return integer input `i` as int64, cast by numpy if it is a constant."""
    value = view.const(i)
    if value is not None:
        return ctx.const(value.astype(np.int64))
    name = ctx.get(view, i)
    return name if view.dtype(i) == "int64" else ctx.cast(name, "int64")
