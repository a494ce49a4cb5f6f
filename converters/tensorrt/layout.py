"""Layouts: adding elementwise layers in the order in which their inputs are held, at one rank."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from tfgraft.converters.orders import Perm
from tfgraft.converters.tensorrt.context import TensorRtContext
from tfgraft.converters.tensorrt.emit import unsqueeze
from tfgraft.graph.view import NodeView


def common_perm(ctx: TensorRtContext, view: NodeView, indices: Sequence[int]) -> Perm | None:
    """Return the order in which an elementwise op had best be computed: that of its first input of full rank.

    Inputs that are held in TensorFlow's order, or are smaller, do not count.
    """
    rank = view.outputs[0].rank
    for i in indices:
        perm = ctx.perm_of(view, i)
        if perm is not None and len(perm) == rank:
            return perm
    return None


def broadcast_inputs(ctx: TensorRtContext, view: NodeView, indices: Sequence[int]) -> tuple[list[Any], Perm | None]:
    """Return inputs that broadcast against each other as tensors of one rank, and the order in which they all are.

    Inputs of lower rank are given leading dimensions of size one before they are put in that order. The ranks must be
    known (`OpSpec.known_ranks`).
    """
    perm = common_perm(ctx, view, indices)
    rank = max(view.known_rank(i) for i in indices)
    return [_in_order(ctx, view, i, rank, perm) for i in indices], perm


def _in_order(ctx: TensorRtContext, view: NodeView, i: int, rank: int, perm: Perm | None) -> Any:
    missing = rank - view.known_rank(i)
    if missing == 0:
        return ctx.get(view, i, perm)
    value = view.const(i)
    if value is not None:
        value = value.reshape((1,) * missing + value.shape)
        return ctx.const(value if perm is None else value.transpose(perm))
    tensor = unsqueeze(ctx, ctx.get(view, i), range(missing))
    return tensor if perm is None else ctx.transpose(tensor, perm)


def elementwise(
    emit: Callable[[TensorRtContext, NodeView, list[Any]], Any],
) -> Callable[[TensorRtContext, NodeView], None]:
    """Make a convert function of an op that works element by element on all its inputs, with broadcasting.

    `emit(ctx, view, inputs)` adds layers on tensors of one rank and order and returns the result.
    """

    @functools.wraps(emit)  # its module is named where a conversion fails
    def convert(ctx: TensorRtContext, view: NodeView) -> None:
        tensors, perm = broadcast_inputs(ctx, view, range(len(view.inputs)))
        ctx.set(view, 0, emit(ctx, view, tensors), perm)

    return convert
