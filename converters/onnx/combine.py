"""Joining and repeating: concatenation, stacking, tiling, padding."""

from __future__ import annotations

import numpy as np

from tfgraft.converters.onnx.axes import int64
from tfgraft.converters.onnx.carrier import carried
from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import Perm, held_axes, insert_axes, plain_axes
from tfgraft.graph.dtypes import INTS, PLAIN
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_PAD = PLAIN - {"int16", "uint16"}
"""Types that Pad has kernels for."""


def _first_perm(ctx: OnnxContext, view: NodeView, indices: range) -> Perm | None:
    return next((p for p in (ctx.perm_of(view, i) for i in indices) if p is not None), None)


def _parts(view: NodeView) -> tuple[range, int]:
    """Return the inputs that are joined, and which one is the axis."""
    last = len(view.inputs) - 1
    return (range(last), last) if view.op == "ConcatV2" else (range(1, last + 1), 0)


def _check_concat(view: NodeView) -> Support:
    _, axis = _parts(view)
    if not view.inputs[axis].is_constant:
        return Unsupported("not-constant", f"{view.op} needs a constant axis.", f"input {axis}")
    return SUPPORTED


@converter("ConcatV2", "Concat", engine="onnx", spec=OpSpec(dtypes=PLAIN), check=_check_concat)
def concat(ctx: OnnxContext, view: NodeView) -> None:
    """TF ConcatV2, Concat -> Concat."""
    parts, axis_input = _parts(view)
    perm = _first_perm(ctx, view, parts)
    axes = [int(view.known_const(axis_input).reshape(()))]
    (axis,) = axes if perm is None else held_axes(plain_axes(axes, len(perm)), perm)
    values = [ctx.get(view, i, perm) for i in parts]
    ctx.set(view, 0, values[0] if len(values) == 1 else ctx.node("Concat", values, axis=axis), perm)


@converter("Pack", engine="onnx", spec=OpSpec(dtypes=PLAIN))
def pack(ctx: OnnxContext, view: NodeView) -> None:
    """TF Pack -> Unsqueeze and Concat; constants are expanded by numpy."""
    parts = range(len(view.inputs))
    perm = _first_perm(ctx, view, parts)
    axis = int(view.attr("axis", 0))
    axes = plain_axes([axis], None if perm is None else len(perm) + 1)
    where, after = insert_axes(perm, axes)
    values = []
    for i in parts:
        if perm is None and view.inputs[i].is_constant and len(view.shape(i) or ()) == 0:
            values.append(ctx.const(view.known_const(i).reshape(1)))
        else:
            values.append(ctx.node("Unsqueeze", [ctx.get(view, i, perm), ctx.ints(where)]))
    ctx.set(view, 0, values[0] if len(values) == 1 else ctx.node("Concat", values, axis=where[0]), after)


@converter("Tile", engine="onnx", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}))
def tile(ctx: OnnxContext, view: NodeView) -> None:
    """TF Tile -> Tile."""
    times = view.const(1)
    if times is None:
        ctx.set(view, 0, ctx.node("Tile", [ctx.get(view, 0), int64(ctx, view, 1)]))
        return
    perm = ctx.perm_of(view, 0)
    value = ctx.get(view, 0, perm)
    if np.any(times != 1):
        value = ctx.node("Tile", [value, ctx.ints(times if perm is None else times[list(perm)])])
    ctx.set(view, 0, value, perm)


def _pads(ctx: OnnxContext, view: NodeView, perm: Perm | None) -> str:
    """Return ONNX's pads (all before, then all after) in the order `perm`."""
    pairs = view.const(1)
    if pairs is not None:
        return ctx.ints((pairs if perm is None else pairs[list(perm)]).T)
    columns = ctx.node("Transpose", [int64(ctx, view, 1)], perm=[1, 0])
    return ctx.node("Reshape", [columns, ctx.ints([-1])])


@converter("Pad", "PadV2", engine="onnx", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}))
def pad(ctx: OnnxContext, view: NodeView) -> None:
    """TF Pad, PadV2 -> Pad."""
    perm = ctx.perm_of(view, 0) if view.inputs[1].is_constant else None
    pads = _pads(ctx, view, perm)
    values = [ctx.get(view, 0, perm), *([ctx.get(view, 2)] if view.op == "PadV2" else [])]
    ctx.set(view, 0, carried(ctx, view.dtype(), _PAD, values, lambda x: ctx.node("Pad", [x[0], pads, *x[1:]])), perm)


def _check_mirror(view: NodeView) -> Support:
    pairs = view.const(1)
    if view.attr("mode") == "SYMMETRIC" and (pairs is None or np.any(pairs > 1)):
        return Unsupported(
            "attribute", "MirrorPad with mode SYMMETRIC is taken for constant paddings of 0 or 1 only.", "attr mode"
        )
    return SUPPORTED


@converter("MirrorPad", engine="onnx", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}), check=_check_mirror)
def mirror_pad(ctx: OnnxContext, view: NodeView) -> None:
    """TF MirrorPad -> Pad by reflection; a symmetric padding of one repeats the edge."""
    perm = ctx.perm_of(view, 0) if view.inputs[1].is_constant else None
    pads = _pads(ctx, view, perm)
    mode = "reflect" if view.attr("mode") == "REFLECT" else "edge"
    value = ctx.get(view, 0, perm)
    result = carried(ctx, view.dtype(), _PAD, [value], lambda x: ctx.node("Pad", [*x, pads], mode=mode))
    ctx.set(view, 0, result, perm)


CONVERTERS = (concat, pack, tile, pad, mirror_pad)
