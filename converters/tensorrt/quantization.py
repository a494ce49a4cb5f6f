"""Fake quantization: by Quantize and Dequantize layers where TensorRT has the same eight bits, else by arithmetic.

TensorRT quantizes to -128..127 around zero. That is what QuantizeAndDequantize does with signed integers of eight bits,
and FakeQuant with a range that has zero in its middle; for these the layers are made that let TensorRT compute in
INT8, for constants in the order and shape in which they are read: a transpose in between would keep a convolution from
taking them. Other ranges, unsigned ones among them, are computed step by step in floating point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.converters.orders import Perm
from tfgraft.converters.ranges import Integers, check_scaled, nudge, nudged_integers, scaled, scaled_integers
from tfgraft.converters.tensorrt.context import TensorRtContext
from tfgraft.converters.tensorrt.emit import binary, like, unary
from tfgraft.converters.weights import lay_out, steps_after
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_FLOAT = frozenset({"float32"})
_TIES = "What is halfway between two quantized values may go to either where Quantize layers are used."
_UNSIGNED = "Unsigned integers, which TensorRT does not quantize to, are computed in floating point."
_FAKE = f"{_TIES} Ranges that do not have zero in their middle are computed in floating point."
_BITS = 8


def _along(view: NodeView, perm: tuple[int, ...] | None, axis: int | None) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return a function that shapes a range's numbers to broadcast with the input; `axis` None: one for all."""
    order = perm or tuple(range(view.known_rank(0)))
    return lambda part: _shaped(part, len(order), None if axis is None else order.index(axis))


def _shaped(part: NDArray[Any], rank: int, axis: int | None) -> NDArray[Any]:
    """Return numbers, one or one for each element of an axis, as an array that broadcasts along it."""
    return np.asarray(part, np.float32).reshape([-1 if d == axis else 1 for d in range(rank)])


def _layers(ctx: TensorRtContext, x: Any, step: NDArray[Any], axis: int | None) -> Any:
    """Add Quantize and Dequantize layers; `axis` is that of the held value."""
    scale = ctx.const(np.asarray(step, np.float32).reshape(() if axis is None else (-1,)))
    integers = ctx.add("quantize", x, scale, ctx.type("int8"), axis=axis)
    return ctx.add("dequantize", integers, scale, ctx.type("float32"), axis=axis)


def _quantized(ctx: TensorRtContext, view: NodeView, to: Integers | None, axis: int | None) -> bool:
    """Add the node as layers if TensorRT has such integers; `axis` (None: all have one range) is TensorFlow's."""
    perm, rank = ctx.perm_of(view, 0), view.known_rank(0)
    if to is None or to.dtype != "int8" or not rank:
        return False
    if view.inputs[0].is_constant:
        ctx.set_made(view, lambda perm, shape: _constant(ctx, view, to, axis, perm, shape))
        return True
    if not to.is_whole:
        return False
    value = ctx.get(view, 0, perm)
    if to.least > np.iinfo(to.dtype).min:
        value = binary(ctx, "MAX", value, ctx.const(_along(view, perm, axis)(np.float32(to.least) * to.step)))
    held = None if axis is None else (perm or tuple(range(rank))).index(axis)
    ctx.set(view, 0, _layers(ctx, value, to.step, held), perm)
    return True


def _constant(
    ctx: TensorRtContext,
    view: NodeView,
    to: Integers,
    axis: int | None,
    perm: Perm | None,
    shape: Sequence[int] | None,
) -> Any:
    """Add a constant input of quantized values, laid out, and the layers that find their integers again."""
    integers = to.quantization(axis).apply(view.known_const(0))
    step = _shaped(to.step, integers.ndim, axis)
    value = ctx.const(lay_out(integers * step, perm, shape))
    if axis is None:
        return _layers(ctx, value, to.step, None)
    held, places = steps_after(integers.shape, axis, perm, shape)
    return _layers(ctx, value, to.step[places], held)


def _fake_quant(
    ctx: TensorRtContext, view: NodeView, low: Any, high: Any, *, divide: bool = False, last: bool = False
) -> None:
    """Add fake quantization.

    Args:
        divide: divide by the step instead of multiplying by its reciprocal: TensorFlow's kernels do either, and which
            side of a half a value falls on depends on it.
        last: the bounds belong to the elements of the last dimension.
    """
    bits, narrow = int(view.attr("num_bits", _BITS)), bool(view.attr("narrow_range", False))
    axis = view.known_rank(0) - 1 if last else None
    to = nudge(low, high, bits, narrow)
    if _quantized(ctx, view, nudged_integers(to, bits, narrow), axis):
        return
    perm = ctx.perm_of(view, 0)
    shaped, x = _along(view, perm, axis), ctx.get(view, 0, perm)

    def const(part: NDArray[Any]) -> Any:
        return ctx.const(shaped(part))

    value = binary(ctx, "MAX", binary(ctx, "MIN", x, const(to.high)), const(to.low))
    value = binary(ctx, "SUB", value, const(to.low))
    value = binary(ctx, "DIV", value, const(to.step)) if divide else binary(ctx, "PROD", value, const(to.steps))
    value = binary(ctx, "SUM", binary(ctx, "SUB", value, const(to.zero)), like(ctx, x, 0.5))
    ctx.set(view, 0, binary(ctx, "PROD", unary(ctx, "FLOOR", value), const(to.step)), perm)


@converter("FakeQuantWithMinMaxArgs", engine="tensorrt", spec=OpSpec(dtypes=_FLOAT, known_ranks=(0,)), notes=_FAKE)
def fake_quant_args(ctx: TensorRtContext, view: NodeView) -> None:
    """TF FakeQuantWithMinMaxArgs -> quantize and dequantize, or clip, scale, floor, scale back."""
    _fake_quant(ctx, view, view.attr("min", -6.0), view.attr("max", 6.0))


_RANGE = OpSpec(dtypes=_FLOAT, known_ranks=(0,), constants=(1, 2))


@converter("FakeQuantWithMinMaxVars", engine="tensorrt", spec=_RANGE, notes=_FAKE)
def fake_quant_vars(ctx: TensorRtContext, view: NodeView) -> None:
    """TF FakeQuantWithMinMaxVars (constant range) -> quantize and dequantize, or plain arithmetic; 0 x for no range."""
    low, high = view.known_const(1), view.known_const(2)
    if low.any() or high.any():
        _fake_quant(ctx, view, low, high, divide=True)
        return
    perm = ctx.perm_of(view, 0)
    x = ctx.get(view, 0, perm)
    ctx.set(view, 0, binary(ctx, "PROD", x, like(ctx, x, 0)), perm)


@converter("FakeQuantWithMinMaxVarsPerChannel", engine="tensorrt", spec=_RANGE, notes=_FAKE)
def fake_quant_per_channel(ctx: TensorRtContext, view: NodeView) -> None:
    """TF FakeQuantWithMinMaxVarsPerChannel (constant ranges) -> quantize and dequantize, or plain arithmetic."""
    _fake_quant(ctx, view, view.known_const(1), view.known_const(2), last=True)


@converter(
    "QuantizeAndDequantizeV2",
    "QuantizeAndDequantizeV3",
    "QuantizeAndDequantizeV4",
    engine="tensorrt",
    spec=OpSpec(dtypes=_FLOAT, input_dtypes={3: frozenset({"int32"})}, known_ranks=(0,), constants=(1, 2)),
    check=check_scaled,
    notes=_UNSIGNED,
)
def quantize_and_dequantize(ctx: TensorRtContext, view: NodeView) -> None:
    """TF QuantizeAndDequantizeV2, V3, V4 (constant range) -> quantize and dequantize, or plain arithmetic."""
    to, even = scaled(view), view.attr("round_mode", "HALF_TO_EVEN") == "HALF_TO_EVEN"
    axis = None if (named := int(view.attr("axis", -1))) == -1 else named
    integers = scaled_integers(to, even)
    if (even or view.inputs[0].is_constant) and _quantized(ctx, view, integers, axis):
        return
    perm = ctx.perm_of(view, 0)
    shaped, x = _along(view, perm, axis), ctx.get(view, 0, perm)
    low, high, up, down = (ctx.const(shaped(part)) for part in (to.low, to.high, to.up, to.down))
    value = binary(ctx, "PROD", binary(ctx, "MAX", binary(ctx, "MIN", x, high), low), up)
    value = unary(ctx, "ROUND", value) if even else unary(ctx, "FLOOR", binary(ctx, "SUM", value, like(ctx, x, 0.5)))
    ctx.set(view, 0, binary(ctx, "PROD", value, down), perm)


CONVERTERS = (fake_quant_args, fake_quant_vars, fake_quant_per_channel, quantize_and_dequantize)
