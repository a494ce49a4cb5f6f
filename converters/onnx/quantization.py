"""Fake quantization: as QuantizeLinear and DequantizeLinear, which let ONNX Runtime compute in INT8, or by arithmetic.

Ranges of eight bits are int8 around zero, or uint8 with a zero point. A constant is quantized by numpy, and only its
DequantizeLinear is left. Other ranges are computed step by step in floating point.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import Perm
from tfgraft.converters.ranges import Integers, check_scaled, nudge, nudged_integers, scaled, scaled_integers
from tfgraft.graph.dtypes import FLOATS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_FLOAT = OpSpec(dtypes=frozenset({"float32"}))
_TIES = "What is halfway between two quantized values may go to either, where the range has eight bits."


def _quantized(ctx: OnnxContext, view: NodeView, to: Integers | None, axis: int | None) -> bool:
    """Emit the node in integers if it can be; `axis` (None: all have one range) is TensorFlow's."""
    if to is None or to.dtype not in ctx.quantized or view.dtype() != "float32":
        return False
    if view.inputs[0].is_constant and ctx.is_weight(view, 0):
        # ONNX Runtime takes several zero points for no kernel.
        if to.has_one_zero:
            ctx.set_quantized(view, to, axis)
        return to.has_one_zero
    if not to.is_whole:
        return False
    if "uint8" in ctx.quantized:
        # ONNX Runtime computes with unsigned activations on x86, and its convolutions take one type throughout.
        to = to.unsigned()
    perm = ctx.form_of(view, 0) if axis is None else ctx.perm_of(view, 0)
    held = None if axis is None else axis if perm is None else perm.index(axis)
    step, zero = (part.reshape(() if axis is None else -1) for part in (to.step, to.zero.astype(to.dtype)))
    value = ctx.get(view, 0, perm)
    if to.least > np.iinfo(to.dtype).min:
        least = (np.float32(to.least) - zero) * step
        shape = () if axis is None else [-1 if d == held else 1 for d in range(view.known_rank(0))]
        value = ctx.node("Max", [value, ctx.const(least.reshape(shape))])
    how = [ctx.const(step), ctx.const(zero)]
    value = ctx.node("QuantizeLinear", [value, *how], axis=held)
    ctx.set(view, 0, ctx.node("DequantizeLinear", [value, *how], axis=held), perm)
    return True


def _fake_quant(
    ctx: OnnxContext, view: NodeView, low: NDArray[Any], high: NDArray[Any], *, divide: bool = False, last: bool = False
) -> None:
    """Emit fake quantization.

    Args:
        divide: divide by the step instead of multiplying by its reciprocal: TensorFlow's kernels do either, and which
            side of a half a value falls on depends on it.
        last: the bounds belong to the elements of the last dimension.
    """
    bits, narrow = int(view.attr("num_bits", 8)), bool(view.attr("narrow_range", False))
    to = nudge(low, high, bits, narrow)
    axis = view.known_rank(0) - 1 if last and view.rank(0) is not None else None
    if (axis is not None or not last) and _quantized(ctx, view, nudged_integers(to, bits, narrow), axis):
        return
    perm: Perm | None = ctx.perm_of(view, 0)
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


@converter("FakeQuantWithMinMaxArgs", engine="onnx", spec=_FLOAT, notes=_TIES)
def fake_quant_args(ctx: OnnxContext, view: NodeView) -> None:
    """TF FakeQuantWithMinMaxArgs -> quantize and dequantize, or plain arithmetic."""
    low, high = (np.asarray(view.attr(k, d), np.float32) for k, d in (("min", -6.0), ("max", 6.0)))
    _fake_quant(ctx, view, low, high)


@converter(
    "FakeQuantWithMinMaxVars",
    engine="onnx",
    spec=OpSpec(dtypes=frozenset({"float32"}), constants=(1, 2)),
    notes=_TIES,
)
def fake_quant_vars(ctx: OnnxContext, view: NodeView) -> None:
    """TF FakeQuantWithMinMaxVars (constant range) -> quantize and dequantize, or plain arithmetic."""
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
    notes=_TIES,
)
def fake_quant_per_channel(ctx: OnnxContext, view: NodeView) -> None:
    """TF FakeQuantWithMinMaxVarsPerChannel (constant ranges) -> quantize and dequantize, or plain arithmetic."""
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
    """TF QuantizeAndDequantizeV2, V3, V4 (constant range) -> quantize and dequantize, or plain arithmetic."""
    dtype, to = view.dtype(), scaled(view)
    axis, even = int(view.attr("axis", -1)), view.attr("round_mode", "HALF_TO_EVEN") == "HALF_TO_EVEN"
    integers = scaled_integers(to, even)
    if (even or view.inputs[0].is_constant) and _quantized(ctx, view, integers, None if axis == -1 else axis):
        return
    perm = ctx.perm_of(view, 0)
    parts = [to.low, to.high, to.up, to.down]
    if axis != -1:
        order = perm or tuple(range(view.known_rank(0)))
        parts = [p.reshape([-1 if d == order.index(axis) else 1 for d in range(len(order))]) for p in parts]
    bottom, top, up, down = (ctx.const(p) for p in parts)
    value = ctx.node("Max", [ctx.node("Min", [ctx.get(view, 0, perm), top]), bottom])
    value = ctx.node("Mul", [value, up])
    if even:
        value = ctx.node("Round", [value])
    else:
        value = ctx.node("Floor", [ctx.node("Add", [value, ctx.const(0.5, dtype)])])
    ctx.set(view, 0, ctx.node("Mul", [value, down]), perm)


CONVERTERS = (fake_quant_args, fake_quant_vars, fake_quant_per_channel, quantize_and_dequantize)
