"""Fake quantization: by Quantize and Dequantize layers where TensorRT has the same eight bits, else by arithmetic.

TensorRT quantizes to -128..127 around zero. That is what QuantizeAndDequantize does with signed integers of eight bits,
and FakeQuant with a range that has zero in its middle; for these the layers are made that let TensorRT compute in
INT8. Other ranges are computed step by step in floating point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.converters.ranges import check_scaled, nudge, scaled
from tfgraft.converters.tensorrt.context import TensorRtContext
from tfgraft.converters.tensorrt.emit import binary, like, unary
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_FLOAT = frozenset({"float32"})
_TIES = "What is halfway between two quantized values may go to either where Quantize layers are used."
_BITS, _MIDDLE = 8, 128


def _along(view: NodeView, perm: tuple[int, ...] | None, axis: int | None) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return a function that shapes a range's numbers to broadcast with the input; `axis` None: one for all."""
    order = perm or tuple(range(view.known_rank(0)))
    shape = [-1 if d == axis else 1 for d in order]
    return lambda part: np.asarray(part, np.float32).reshape(shape)


def _layers(ctx: TensorRtContext, x: Any, step: NDArray[Any], axis: int | None) -> Any:
    """Add Quantize and Dequantize layers; `axis` is that of the held value."""
    scale = ctx.const(np.asarray(step, np.float32).reshape(() if axis is None else (-1,)))
    integers = ctx.add("quantize", x, scale, ctx.type("int8"), axis=axis)
    return ctx.add("dequantize", integers, scale, ctx.type("float32"), axis=axis)


def _fake_quant(
    ctx: TensorRtContext, view: NodeView, low: Any, high: Any, *, divide: bool = False, last: bool = False
) -> None:
    """Add fake quantization.

    Args:
        divide: divide by the step instead of multiplying by its reciprocal: TensorFlow's kernels do either, and which
            side of a half a value falls on depends on it.
        last: the bounds belong to the elements of the last dimension.
    """
    perm, rank = ctx.perm_of(view, 0), view.known_rank(0)
    bits, narrow = int(view.attr("num_bits", _BITS)), bool(view.attr("narrow_range", False))
    axis = rank - 1 if last else None
    to, shaped, x = nudge(low, high, bits, narrow), _along(view, perm, axis), ctx.get(view, 0, perm)

    def const(part: NDArray[Any]) -> Any:
        return ctx.const(shaped(part))

    if bits == _BITS and rank and np.all(to.zero == _MIDDLE - narrow) and np.all(to.step > 0):
        held = None if axis is None else (perm or tuple(range(rank))).index(axis)
        value = binary(ctx, "MAX", x, const(to.low)) if narrow else x
        ctx.set(view, 0, _layers(ctx, value, to.step, held), perm)
        return
    value = binary(ctx, "MAX", binary(ctx, "MIN", x, const(to.high)), const(to.low))
    value = binary(ctx, "SUB", value, const(to.low))
    value = binary(ctx, "DIV", value, const(to.step)) if divide else binary(ctx, "PROD", value, const(to.steps))
    value = binary(ctx, "SUM", binary(ctx, "SUB", value, const(to.zero)), like(ctx, x, 0.5))
    ctx.set(view, 0, binary(ctx, "PROD", unary(ctx, "FLOOR", value), const(to.step)), perm)


@converter("FakeQuantWithMinMaxArgs", engine="tensorrt", spec=OpSpec(dtypes=_FLOAT, known_ranks=(0,)), notes=_TIES)
def fake_quant_args(ctx: TensorRtContext, view: NodeView) -> None:
    """TF FakeQuantWithMinMaxArgs -> quantize and dequantize, or clip, scale, floor, scale back."""
    _fake_quant(ctx, view, view.attr("min", -6.0), view.attr("max", 6.0))


_RANGE = OpSpec(dtypes=_FLOAT, known_ranks=(0,), constants=(1, 2))


@converter("FakeQuantWithMinMaxVars", engine="tensorrt", spec=_RANGE, notes=_TIES)
def fake_quant_vars(ctx: TensorRtContext, view: NodeView) -> None:
    """TF FakeQuantWithMinMaxVars (constant range) -> quantize and dequantize, or plain arithmetic; 0 x for no range."""
    low, high = view.known_const(1), view.known_const(2)
    if low.any() or high.any():
        _fake_quant(ctx, view, low, high, divide=True)
        return
    perm = ctx.perm_of(view, 0)
    x = ctx.get(view, 0, perm)
    ctx.set(view, 0, binary(ctx, "PROD", x, like(ctx, x, 0)), perm)


@converter("FakeQuantWithMinMaxVarsPerChannel", engine="tensorrt", spec=_RANGE, notes=_TIES)
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
)
def quantize_and_dequantize(ctx: TensorRtContext, view: NodeView) -> None:
    """TF QuantizeAndDequantizeV2, V3, V4 (constant range) -> quantize and dequantize, or plain arithmetic."""
    perm, rank, to = ctx.perm_of(view, 0), view.known_rank(0), scaled(view)
    axis = None if (named := int(view.attr("axis", -1))) == -1 else named
    shaped, x = _along(view, perm, axis), ctx.get(view, 0, perm)
    low, high, up, down = (ctx.const(shaped(part)) for part in (to.low, to.high, to.up, to.down))
    even = view.attr("round_mode", "HALF_TO_EVEN") == "HALF_TO_EVEN"
    if to.signed and to.bits == _BITS and even and rank and np.all(np.isfinite(to.up) & (to.down > 0)):
        held = None if axis is None else (perm or tuple(range(rank))).index(axis)
        value = binary(ctx, "MAX", x, low) if to.narrow else x
        ctx.set(view, 0, _layers(ctx, value, to.down, held), perm)
        return
    value = binary(ctx, "PROD", binary(ctx, "MAX", binary(ctx, "MIN", x, high), low), up)
    value = unary(ctx, "ROUND", value) if even else unary(ctx, "FLOOR", binary(ctx, "SUM", value, like(ctx, x, 0.5)))
    ctx.set(view, 0, binary(ctx, "PROD", value, down), perm)


CONVERTERS = (fake_quant_args, fake_quant_vars, fake_quant_per_channel, quantize_and_dequantize)
