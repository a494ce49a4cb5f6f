"""Sizes of what a converter has in its hands, with what TensorFlow knows of them, and values read as sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgraft.converters.orders import Perm, keeps_sequence
from tfgraft.converters.tensorrt.context import TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, elements, pick, plus
from tfgraft.converters.tensorrt.emit import cut
from tfgraft.graph.view import NodeView


def dim_of(ctx: TensorRtContext, tensor: Any, axis: int, known: int = -1) -> Dim:
    """Return one dimension of a tensor; `known` is TensorFlow's idea of it, negative if it has none."""
    if known >= 0:
        return known
    size = int(tensor.shape[axis])
    return size if size >= 0 else pick(ctx, ctx.add("shape", tensor), axis)


def held_shape(view: NodeView, i: int, perm: Perm | None) -> list[int]:
    """Return what TensorFlow knows of input `i`'s shape in the order `perm`, -1 for what it does not know."""
    shape = view.shape(i) or (-1,) * view.known_rank(i)
    return [max(d, -1) for d in (shape if perm is None else [shape[d] for d in perm])]


def held_dims(ctx: TensorRtContext, view: NodeView, i: int, tensor: Any, perm: Perm | None) -> list[Dim]:
    """Return the dimensions of input `i`, held by a tensor in the order `perm`, in that order."""
    return [dim_of(ctx, tensor, k, known) for k, known in enumerate(held_shape(view, i, perm))]


def values_of(ctx: TensorRtContext, view: NodeView, i: int, count: int) -> list[Dim]:
    """Return the `count` elements of integer input `i` (of any rank): numbers where they are constants."""
    known = view.const(i)
    if known is not None:
        return [int(v) for v in known.reshape(-1)]
    tensor = ctx.get(view, i)
    if tensor.name in ctx.elements:
        return [v if isinstance(v, int) else ctx.cast(v, "int64") for v in ctx.elements[tensor.name]]
    if len(tensor.shape) != 1:
        tensor = ctx.add("shuffle", tensor, reshape_dims=(count,))
    return elements(ctx, tensor, count)


def take(ctx: TensorRtContext, tensor: Any, axis: int, start: Any, size: int) -> Any:
    """Return `size` elements along an axis from a computed position on.

    A gather, as that position may be any tensor; a slice can only start where the host knows it.
    """
    positions = plus(ctx, start, ctx.const(np.arange(size))) if size != 1 else start
    return ctx.add("gather", tensor, positions, axis)


def same_sequence(ctx: TensorRtContext, view: NodeView, i: int) -> tuple[Any, bool]:
    """Return a tensor whose elements are in TensorFlow's row-major sequence, and whether its dimensions are too."""
    perm = ctx.perm_of(view, i)
    kept = keeps_sequence(perm, view.shape(i))
    return ctx.get(view, i, perm if kept else None), not kept


def repeat(ctx: TensorRtContext, tensor: Any, dims: Sequence[Dim], strides: Sequence[Dim]) -> Any:
    """Broadcast a tensor to dimensions of its own rank.

    Args:
        strides: 0 where a dimension of size one is repeated, else 1.
    """
    return cut(ctx, tensor, [0] * len(dims), dims, strides)
