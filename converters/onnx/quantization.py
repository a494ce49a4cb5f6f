"""Fake quantization, in floating point with TensorFlow's own rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import Perm
from tfgraft.graph.dtypes import FLOATS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_FLOAT = OpSpec(dtypes=frozenset({"float32"}))


@dataclass(frozen=True, slots=True)
class Nudged:
    """A range moved so that zero is one of its quantized values, in float32.

    Args:
        low, high: the least and the largest value.
        step, steps: the distance between two values, and its reciprocal.
        zero: the quantized value of zero, counted from that of `low`.
    """

    low: NDArray[Any]
    high: NDArray[Any]
    step: NDArray[Any]
    steps: NDArray[Any]
    zero: NDArray[Any]


def nudge(low: NDArray[Any], high: NDArray[Any], bits: int, narrow: bool) -> Nudged:
    """Return the range that TensorFlow's FakeQuant ops quantize to; an empty one gives zeros. Shapes are kept."""
    least, most = np.float32(narrow), np.float32(2**bits - 1)
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    empty = (low == 0) & (high == 0)
    low, high = np.where(empty, np.float32(-1), low), np.where(empty, np.float32(1), high)
    step, steps = (high - low) / (most - least), (most - least) / (high - low)
    # Half away from zero, as C's round; what is rounded is not negative.
    zero = np.floor(np.clip(least - low / step, least, most) + np.float32(0.5))
    low, high = (least - zero) * step, (most - zero) * step
    from_low = np.floor(-low * steps + np.float32(0.5))
    return Nudged(low, high, np.where(empty, np.float32(0), step), steps, from_low)


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


def _check_range(view: NodeView) -> Support:
    """Refuse ranges that are not given as constants (codes attribute, not-constant) and 32 and more bits."""
    if not view.attr("range_given", view.op == "QuantizeAndDequantizeV4"):
        return Unsupported(
            "attribute", f"{view.op} is taken with range_given only.", "attr range_given", "Calibrate the model."
        )
    if view.op == "QuantizeAndDequantizeV3":
        bits = view.const(3)
        if bits is None:
            return Unsupported("not-constant", f"{view.op} needs input 3 to be a constant.", "input 3")
    if view.attr("axis", -1) != -1 and view.rank(0) is None:
        return Unsupported(
            "unknown-rank", f"{view.op} along an axis needs the rank of input 0.", "input 0", "Give input_shapes."
        )
    return SUPPORTED


@converter(
    "QuantizeAndDequantizeV2",
    "QuantizeAndDequantizeV3",
    "QuantizeAndDequantizeV4",
    engine="onnx",
    spec=OpSpec(dtypes=FLOATS - {"float16"}, input_dtypes={3: frozenset({"int32"})}, constants=(1, 2)),
    check=_check_range,
)
def quantize_and_dequantize(ctx: OnnxContext, view: NodeView) -> None:
    """TF QuantizeAndDequantizeV2, V3, V4 (constant range) -> clip, scale, round, scale back."""
    dtype = view.dtype()
    bits = int(view.known_const(3)) if view.op.endswith("V3") else int(view.attr("num_bits", 8))
    signed, narrow = bool(view.attr("signed_input", True)), bool(view.attr("narrow_range", False))
    least = np.array((-(2 ** (bits - 1)) + narrow) if signed else 0, dtype)
    most = np.array(2 ** (bits - 1) - 1 if signed else 2**bits - 1, dtype)
    low, high = view.known_const(1), view.known_const(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_low = np.where(least * low > 0, least / low, np.finfo(dtype).max)
        of_high = np.where(most * high > 0, most / high, np.finfo(dtype).max)
        by_low = of_low < of_high
        scale = np.where(by_low, of_low, of_high)
        step = np.where(by_low, low / (least if signed else 1), high / most)
    high = np.where(by_low, most * step, high)
    low = np.where(by_low, low, least * step)
    perm = ctx.perm_of(view, 0)
    parts = [np.asarray(p, dtype) for p in (low, high, scale, step)]
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
