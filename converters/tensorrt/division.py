"""Division and remainders, by TensorFlow's rules for signs and zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfgraft.converters.tensorrt.binary import zero_guard
from tfgraft.converters.tensorrt.context import FLOATS, INTS, NUMERIC, TensorRtContext
from tfgraft.converters.tensorrt.emit import binary, like, select, unary
from tfgraft.converters.tensorrt.layout import elementwise
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_FLOAT = OpSpec(dtypes=FLOATS, known_ranks=(0, 1))
_NUMERIC = OpSpec(dtypes=NUMERIC, known_ranks=(0, 1))
_INT_NOTE = "Integers divided by a zero that is not a constant give no defined number, where TensorFlow fails."
_FLOAT_NOTE = (
    "A float's remainder is exact to the rounding of x / y: beside a whole quotient it may come out at the other end."
)


def _check(view: NodeView) -> Support:
    divisor = view.const(1) if view.dtype() in INTS else None
    if divisor is not None and not np.all(divisor):
        return Unsupported("attribute", f"{view.op} of integers takes no divisor of 0.", "input 1")
    return SUPPORTED


@converter("RealDiv", engine="tensorrt", spec=_FLOAT)
@elementwise
def real_div(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF RealDiv -> DIV."""
    return binary(ctx, "DIV", *inputs)


@converter("Div", engine="tensorrt", spec=_NUMERIC, check=_check, notes=_INT_NOTE)
@elementwise
def div(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Div -> DIV, which rounds integers towards zero as TensorFlow does."""
    return binary(ctx, "DIV", *inputs)


@converter("TruncateDiv", engine="tensorrt", spec=_NUMERIC, check=_check, notes=_INT_NOTE)
@elementwise
def truncate_div(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF TruncateDiv -> DIV, rounded towards zero."""
    return _truncated(ctx, view, inputs)


@converter("FloorDiv", engine="tensorrt", spec=_NUMERIC, check=_check, notes=_INT_NOTE)
@elementwise
def floor_div(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF FloorDiv -> FLOOR_DIV."""
    return binary(ctx, "FLOOR_DIV", *inputs)


@converter("FloorMod", engine="tensorrt", spec=_NUMERIC, check=_check, notes=f"{_INT_NOTE} {_FLOAT_NOTE}")
@elementwise
def floor_mod(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF FloorMod (the divisor's sign) -> x - y * floor(x / y), for floats as TensorFlow finds it: see below."""
    if view.dtype() in INTS:
        return _left(ctx, inputs, binary(ctx, "FLOOR_DIV", *inputs))
    remainder, divisor = _float_remainder(ctx, view, inputs), inputs[1]
    zero = like(ctx, divisor, 0)
    signs = [binary(ctx, "LESS", value, zero) for value in (remainder, divisor)]
    exact = binary(ctx, "EQUAL", remainder, zero)
    moves = binary(ctx, "AND", binary(ctx, "XOR", *signs), unary(ctx, "NOT", exact))
    return select(ctx, moves, binary(ctx, "SUM", remainder, divisor), remainder)


@converter("Mod", "TruncateMod", engine="tensorrt", spec=_NUMERIC, check=_check, notes=f"{_INT_NOTE} {_FLOAT_NOTE}")
@elementwise
def truncate_mod(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Mod, TruncateMod (the dividend's sign) -> x - y * truncate(x / y)."""
    if view.dtype() in INTS:
        return _left(ctx, inputs, binary(ctx, "DIV", *inputs))
    return _float_remainder(ctx, view, inputs)


@converter("DivNoNan", engine="tensorrt", spec=_FLOAT)
@elementwise
def div_no_nan(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF DivNoNan -> 0 where y is 0, else x / y."""
    quotient = binary(ctx, "DIV", *inputs)
    divisor = view.const(1)
    if divisor is not None and np.all(divisor != 0):
        return quotient
    return zero_guard(ctx, inputs[1], quotient)


def _left(ctx: TensorRtContext, inputs: list[Any], quotient: Any) -> Any:
    """Emit what a division leaves over."""
    return binary(ctx, "SUB", inputs[0], binary(ctx, "PROD", quotient, inputs[1]))


def _truncated(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """Emit a quotient rounded towards zero."""
    quotient = binary(ctx, "DIV", *inputs)
    if view.dtype() in INTS:
        return quotient
    negative = binary(ctx, "LESS", quotient, like(ctx, quotient, 0))
    return select(ctx, negative, unary(ctx, "CEIL", quotient), unary(ctx, "FLOOR", quotient))


def _float_remainder(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """Emit C's fmod, in float32: x itself where the quotient is less than one, also by an infinite divisor."""
    x, y = (ctx.cast(value, "float32") for value in inputs)
    quotient = _truncated(ctx, view, [x, y])
    whole = binary(ctx, "EQUAL", quotient, like(ctx, quotient, 0))
    return ctx.cast(select(ctx, whole, x, _left(ctx, [x, y], quotient)), view.dtype())


CONVERTERS = (real_div, div, truncate_div, floor_div, floor_mod, truncate_mod, div_no_nan)
