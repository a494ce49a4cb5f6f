"""Taking parts of a tensor by position: slices, splits, reversal."""

from __future__ import annotations

import numpy as np

from tfgraft.converters.onnx.axes import int64
from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import const_axes, drop_axes, held_axes, plain_axes
from tfgraft.graph.dtypes import INTS, PLAIN
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

LAST = 2**63 - 1
"""What ONNX's Slice takes for "to the end" (negated: to the beginning, going backwards)."""


@converter("Slice", engine="onnx", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS, 2: INTS}))
def slice_(ctx: OnnxContext, view: NodeView) -> None:
    """TF Slice -> Slice; a size of -1 takes all that is left."""
    begin, size = view.const(1), view.const(2)
    if begin is None or size is None:
        perm = ctx.perm_of(view, 0)
        value, start, count = ctx.get(view, 0, perm), int64(ctx, view, 1), int64(ctx, view, 2)
        if perm is not None:
            start, count = (ctx.node("Gather", [each, ctx.ints(perm)]) for each in (start, count))
        stop = ctx.node("Add", [start, count])
        if size is None or np.any(size == -1):
            # Not `LAST`, which OpenVINO loses where it computes with it.
            rest = ctx.node("Equal", [count, ctx.const(-1, "int64")])
            stop = ctx.node("Where", [rest, ctx.node("Shape", [value]), stop])
        ctx.set(view, 0, ctx.node("Slice", [value, start, stop]), perm)
        return
    perm = ctx.perm_of(view, 0)
    value = ctx.get(view, 0, perm)
    shape = view.shape(0) or ()
    parts = [
        (axis, int(b), LAST if s == -1 else int(b) + int(s))
        for axis, (b, s) in enumerate(zip(begin, size, strict=True))
        if b != 0 or (s != -1 and (axis >= len(shape) or s != shape[axis]))
    ]
    if parts:
        axes, starts, stops = zip(*parts, strict=True)
        value = ctx.node("Slice", [value, ctx.ints(starts), ctx.ints(stops), ctx.ints(held_axes(axes, perm))])
    ctx.set(view, 0, value, perm)


@converter("Split", engine="onnx", spec=OpSpec(dtypes=PLAIN, input_dtypes={0: INTS}, constants=(0,)))
def split(ctx: OnnxContext, view: NodeView) -> None:
    """TF Split -> Split into equal parts."""
    perm = ctx.perm_of(view, 1)
    axes = plain_axes([int(view.known_const(0).reshape(()))], view.rank(1))
    (axis,) = held_axes(axes, perm)
    value, count = ctx.get(view, 1, perm), len(view.outputs)
    parts = [value] if count == 1 else ctx.node("Split", [value], outputs=count, axis=axis, num_outputs=count)
    for port, part in enumerate(parts):
        ctx.set(view, port, part, perm)


def _split_sizes(view: NodeView) -> list[int] | None:
    """Return the sizes of SplitV's parts, or None if one of them is the rest of an unknown dimension."""
    sizes = [int(s) for s in view.known_const(1).reshape(-1)]
    if -1 in sizes:
        shape, axis = view.shape(0), int(view.known_const(2).reshape(()))
        if shape is None or shape[axis] < 0:
            return None
        sizes[sizes.index(-1)] = shape[axis] - sum(s for s in sizes if s >= 0)
    return sizes


def _check_split_v(view: NodeView) -> Support:
    if _split_sizes(view) is None:
        return Unsupported("unknown-dim", "SplitV with a size of -1 needs the dimension that it splits.", "input 0")
    return SUPPORTED


@converter(
    "SplitV",
    engine="onnx",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS, 2: INTS}, constants=(1, 2)),
    check=_check_split_v,
)
def split_v(ctx: OnnxContext, view: NodeView) -> None:
    """TF SplitV -> Split by sizes."""
    perm = ctx.perm_of(view, 0)
    (axis,) = held_axes(const_axes(view, 2), perm)
    value, sizes = ctx.get(view, 0, perm), _split_sizes(view) or []
    parts = [value] if len(sizes) == 1 else ctx.node("Split", [value, ctx.ints(sizes)], outputs=len(sizes), axis=axis)
    for port, part in enumerate(parts):
        ctx.set(view, port, part, perm)


@converter("Unpack", engine="onnx", spec=OpSpec(dtypes=PLAIN))
def unpack(ctx: OnnxContext, view: NodeView) -> None:
    """TF Unpack -> Split and Squeeze."""
    perm, count = ctx.perm_of(view, 0), len(view.outputs)
    axes = plain_axes([int(view.attr("axis", 0))], view.rank(0))
    (axis,) = held_axes(axes, perm)
    value, after = ctx.get(view, 0, perm), drop_axes(perm, axes)
    parts = [value] if count == 1 else ctx.node("Split", [value], outputs=count, axis=axis, num_outputs=count)
    for port, part in enumerate(parts if count else []):
        ctx.set(view, port, ctx.node("Squeeze", [part, ctx.ints([axis])]), after)


@converter("ReverseV2", engine="onnx", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, constants=(1,)))
def reverse(ctx: OnnxContext, view: NodeView) -> None:
    """TF ReverseV2 -> Slice backwards."""
    perm = ctx.perm_of(view, 0)
    axes = held_axes(const_axes(view, 1), perm)
    value = ctx.get(view, 0, perm)
    if axes:
        n = len(axes)
        value = ctx.node(
            "Slice", [value, ctx.ints([LAST] * n), ctx.ints([-LAST] * n), ctx.ints(axes), ctx.ints([-1] * n)]
        )
    ctx.set(view, 0, value, perm)


CONVERTERS = (slice_, split, split_v, unpack, reverse)
