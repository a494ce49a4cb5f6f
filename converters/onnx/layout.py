"""Layouts: emitting elementwise ops in the order in which their inputs are held, and mapping axes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import UNIT, Perm, without_units
from tfgraft.graph.view import NodeView


def common_perm(ctx: OnnxContext, view: NodeView, indices: Sequence[int]) -> Perm | None:
    """Return the order in which an op over same-rank inputs had best be computed.

    It is the order of the first input that is held in another order than TensorFlow's and has the output's rank.
    """
    rank = view.outputs[0].rank
    for i in indices:
        perm = ctx.form_of(view, i)
        if perm is not None and len(without_units(perm)) == rank and all(view.rank(k) is not None for k in indices):
            return perm
    return None


def broadcast_inputs(ctx: OnnxContext, view: NodeView, indices: Sequence[int]) -> tuple[list[str], Perm | None]:
    """Return the ONNX values of inputs that broadcast against each other, and the order in which they all are.

    Inputs of lower rank are given leading dimensions of size one before they are put in that order.
    """
    perm = common_perm(ctx, view, indices)
    if perm is None:
        return [ctx.get(view, i) for i in indices], None
    return [_in_order(ctx, view, i, perm) for i in indices], perm


def _in_order(ctx: OnnxContext, view: NodeView, i: int, perm: Perm) -> str:
    order = without_units(perm)
    rank, missing = view.known_rank(i), len(order) - view.known_rank(i)
    if rank == 0:
        return ctx.get(view, i)
    if missing == 0:
        return ctx.get(view, i, perm)
    shape = (1,) * missing + (view.shape(i) or ())
    # Where only one dimension differs from one (a bias, say), transposing is reshaping, done at no cost.
    if ctx.is_weight(view, i) and sum(d != 1 for d in shape) <= 1:
        return ctx.weight(view, i, None, tuple(1 if d == UNIT else shape[d] for d in perm))
    if view.inputs[i].is_constant:
        value = np.reshape(view.known_const(i), shape).transpose(order)
        return ctx.const(np.expand_dims(value, tuple(k for k, d in enumerate(perm) if d == UNIT)))
    value = ctx.transpose(ctx.node("Unsqueeze", [ctx.get(view, i), ctx.ints(range(missing))]), order)
    units = [k for k, d in enumerate(perm) if d == UNIT]
    return ctx.node("Unsqueeze", [value, ctx.ints(units)]) if units else value


def elementwise(
    emit: Callable[[OnnxContext, NodeView, list[str]], str],
) -> Callable[[OnnxContext, NodeView], None]:
    """Make a convert function of an op that works element by element on all its inputs, with broadcasting.

    `emit(ctx, view, inputs)` emits the op on values that are all in one order and returns the result's name.
    """

    @functools.wraps(emit)  # its module is named where a conversion fails
    def convert(ctx: OnnxContext, view: NodeView) -> None:
        values, perm = broadcast_inputs(ctx, view, range(len(view.inputs)))
        ctx.set(view, 0, emit(ctx, view, values), perm)

    return convert
