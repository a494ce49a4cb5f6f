"""Fake quantization, in floating point with TensorFlow's own rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import Perm
from tfgraft.converters.ranges import check_scaled, nudge, scaled
from tfgraft.graph.dtypes import FLOATS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_FLOAT = OpSpec(dtypes=frozenset({"float32"}))


def _fake_quant(
    ctx: OnnxContext, view: NodeView, low: NDArray[Any], high: NDArray[Any], *, divide: bool = False, last: bool = False
) -> None:
    """Emit fake quantization.

    Args:
        divide: divide by the step instead of multiplying by its reciprocal: TensorFlow's kernels do either, and which
            side of a half a value falls on depends on it.
        last: the bounds belong to the elements of the last dimension.
    """
    perm: Perm | None = ctx.perm_of(view, 0)
    to = nudge(low, high, int(view.attr("num_bits", 8)), bool(view.attr("narrow_range", False)))
    shape: tuple[int, ...] | None = None
    if last and perm is not None:
        shape = tuple(-1 if d == len(perm) - 1 else 1 for d in perm)

    def const(part: NDArray[Any]) -> str:
        return ctx.const(np.asarray(part if shape is None else part.reshape(shape), np.float32))

    value = ctx.node("Max", [ctx.node("Min", [ctx.get(view, 0, perm), const(to.high)]), const(to.low)])
    value = ctx.node("Sub", [value, const(to.low)])
    value = ctx.node("Div", [value, const(to.step)]) if divide else ctx.node("Mul", [value, const(to.steps)])
    value = ctx.node("Add", [ctx.node("Sub", [value, const(to.zero)]), ctx.const(np.float32(0.5))])
    ctx.set(view, 0, ctx.node("Mul", [ctx.node("Floor", [value]), const(to.step)]), perm)


@converter("FakeQuantWithMinMaxArgs", engine="onnx", spec=_FLOAT)
def fake_quant_args(ctx: OnnxContext, view: NodeView) -> None:
    """TF FakeQuantWithMinMaxArgs -> clip, scale, floor, scale back."""
    low, high = (np.asarray(view.attr(k, d), np.float32) for k, d in (("min", -6.0), ("max", 6.0)))
    _fake_quant(ctx, view, low, high)


@converter(
    "FakeQuantWithMinMaxVars",
    engine="onnx",
    spec=OpSpec(dtypes=frozenset({"float32"}), constants=(1, 2)),
)
def fake_quant_vars(ctx: OnnxContext, view: NodeView) -> None:
    """TF FakeQuantWithMinMaxVars (constant range) -> clip, scale, floor, scale back."""
    low, high = view.known_const(1), view.known_const(2)
    if not low.any() and not high.any():
        perm = ctx.perm_of(view, 0)
        ctx.set(view, 0, ctx.node("Mul", [ctx.get(view, 0, perm), ctx.const(np.float32(0))]), perm)
    else:
        _fake_quant(ctx, view, low, high, divide=True)


@converter(
    "FakeQuantWithMinMaxVarsPerChannel",
    engine="onnx",
    spec=OpSpec(dtypes=frozenset({"float32"}), constants=(1, 2)),
)
def fake_quant_per_channel(ctx: OnnxContext, view: NodeView) -> None:
    """TF FakeQuantWithMinMaxVarsPerChannel (constant ranges) -> clip, scale, floor, scale back."""
    _fake_quant(ctx, view, view.known_const(1), view.known_const(2), last=True)


@converter(
    "QuantizeAndDequantizeV2",
    "QuantizeAndDequantizeV3",
    "QuantizeAndDequantizeV4",
    engine="onnx",
    spec=OpSpec(dtypes=FLOATS - {"float16"}, input_dtypes={3: frozenset({"int32"})}, constants=(1, 2)),
    check=check_scaled,
)
def quantize_and_dequantize(ctx: OnnxContext, view: NodeView) -> None:
    """TF QuantizeAndDequantizeV2, V3, V4 (constant range) -> clip, scale, round, scale back."""
    dtype, to = view.dtype(), scaled(view)
    perm = ctx.perm_of(view, 0)
    parts = [to.low, to.high, to.up, to.down]
    axis = view.attr("axis", -1)
    if axis != -1:
        order = perm or tuple(range(view.known_rank(0)))
        parts = [p.reshape([-1 if d == order.index(axis) else 1 for d in range(len(order))]) for p in parts]
    bottom, top, up, down = (ctx.const(p) for p in parts)
    value = ctx.node("Max", [ctx.node("Min", [ctx.get(view, 0, perm), top]), bottom])
    value = ctx.node("Mul", [value, up])
    if view.attr("round_mode", "HALF_TO_EVEN") == "HALF_TO_EVEN":
        value = ctx.node("Round", [value])
    else:
        value = ctx.node("Floor", [ctx.node("Add", [value, ctx.const(0.5, dtype)])])
    ctx.set(view, 0, ctx.node("Mul", [value, down]), perm)


CONVERTERS = (fake_quant_args, fake_quant_vars, fake_quant_per_channel, quantize_and_dequantize)
