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
_FLOAT_NOTE = "The remainder of floats means nothing where the quotient is over 2 ** 24."


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
    """TF FloorMod (the divisor's sign) -> x - y * floor(x / y)."""
    if view.dtype() in INTS:
        return _left(ctx, inputs, binary(ctx, "FLOOR_DIV", *inputs))
    x, y = (ctx.cast(value, "float32") for value in inputs)
    remainder = _exactly_left(ctx, x, y, binary(ctx, "FLOOR_DIV", x, y))
    return ctx.cast(_with_sign_of(ctx, y, remainder, y), view.dtype())


@converter("Mod", "TruncateMod", engine="tensorrt", spec=_NUMERIC, check=_check, notes=f"{_INT_NOTE} {_FLOAT_NOTE}")
@elementwise
def truncate_mod(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Mod, TruncateMod (the dividend's sign) -> x - y * truncate(x / y)."""
    if view.dtype() in INTS:
        return _left(ctx, inputs, binary(ctx, "DIV", *inputs))
    x, y = (ctx.cast(value, "float32") for value in inputs)
    remainder = _exactly_left(ctx, x, y, _truncated(ctx, view, [x, y]))
    step = binary(ctx, "PROD", unary(ctx, "SIGN", x), unary(ctx, "ABS", y))
    return ctx.cast(_with_sign_of(ctx, x, remainder, step), view.dtype())


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


def _exactly_left(ctx: TensorRtContext, x: Any, y: Any, quotient: Any) -> Any:
    """Emit x - quotient * y of float32, without the rounding of that product, which may exceed what is left.

    Both factors are split into halves of twelve bits (Dekker), so that each of the four products is exact. x itself is
    left where the quotient is 0, also by an infinite divisor.
    """
    (a, b), (c, d) = (_halves(ctx, value) for value in (quotient, y))
    result = x
    for pair in ((a, c), (a, d), (b, c), (b, d)):
        result = binary(ctx, "SUB", result, binary(ctx, "PROD", *pair))
    return select(ctx, binary(ctx, "EQUAL", quotient, like(ctx, quotient, 0)), x, result)


def _halves(ctx: TensorRtContext, value: Any) -> tuple[Any, Any]:
    large = binary(ctx, "PROD", value, like(ctx, value, 2**12 + 1))
    high = binary(ctx, "SUB", large, binary(ctx, "SUB", large, value))
    return high, binary(ctx, "SUB", value, high)


def _with_sign_of(ctx: TensorRtContext, value: Any, remainder: Any, step: Any) -> Any:
    """Emit a remainder, and a step added where its sign is not the value's: x / y was rounded up, or y is infinite."""
    zero = like(ctx, remainder, 0)
    signs = [binary(ctx, "LESS", tensor, zero) for tensor in (remainder, value)]
    exact = binary(ctx, "EQUAL", remainder, zero)
    moves = binary(ctx, "AND", binary(ctx, "XOR", *signs), unary(ctx, "NOT", exact))
    return select(ctx, moves, binary(ctx, "SUM", remainder, step), remainder)


CONVERTERS = (real_div, div, truncate_div, floor_div, floor_mod, truncate_mod, div_no_nan)
