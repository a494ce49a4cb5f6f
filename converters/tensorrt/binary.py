"""Elementwise arithmetic of two and more inputs, with broadcasting. Division is in `division.py`."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from tfgraft.converters.tensorrt.context import FLOATS, NUMERIC, SMALL, TensorRtContext
from tfgraft.converters.tensorrt.emit import activation, binary, like, reshape, select, unary
from tfgraft.converters.tensorrt.layout import elementwise
from tfgraft.converters.tensorrt.unary import log1p_of
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import Converter, OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_FLOAT = OpSpec(dtypes=FLOATS, known_ranks=(0, 1))
_NUMERIC = OpSpec(dtypes=NUMERIC, known_ranks=(0, 1))
_ORDERED = OpSpec(dtypes=NUMERIC | SMALL, known_ranks=(0, 1))

_SAME: tuple[tuple[str, str, OpSpec], ...] = (
    ("Add", "SUM", _NUMERIC),
    ("AddV2", "SUM", _NUMERIC),
    ("Sub", "SUB", _NUMERIC),
    ("Mul", "PROD", _NUMERIC),
    ("Maximum", "MAX", _ORDERED),
    ("Minimum", "MIN", _ORDERED),
)
"""TF op, TensorRT's `ElementWiseOperation`, what it takes."""


def plain_binary(op: str, kind: str, spec: OpSpec) -> tuple[Converter, ...]:
    """Return the converter of an op that is one elementwise layer."""

    @converter(op, engine="tensorrt", spec=spec)
    @elementwise
    def convert(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
        return binary(ctx, kind, *inputs)

    return convert


@converter("Pow", engine="tensorrt", spec=_FLOAT)
@elementwise
def power(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Pow of floats -> POW; x * x where the exponent is the constant 2."""
    exponent = view.const(1)
    if exponent is not None and exponent.ndim == 0 and exponent == 2:
        return binary(ctx, "PROD", inputs[0], inputs[0])
    return binary(ctx, "POW", *inputs)


@converter("SquaredDifference", engine="tensorrt", spec=_NUMERIC)
@elementwise
def squared_difference(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF SquaredDifference -> (x - y) * (x - y)."""
    difference = binary(ctx, "SUB", *inputs)
    return binary(ctx, "PROD", difference, difference)


def _check_ranks(view: NodeView) -> Support:
    for i in range(len(view.inputs)):
        if view.rank(i) is None:
            return Unsupported(
                "unknown-rank", f"{view.op} needs the rank of input {i}.", f"input {i}", "Give input_shapes."
            )
    return SUPPORTED


@converter("AddN", engine="tensorrt", spec=OpSpec(dtypes=NUMERIC), check=_check_ranks)
@elementwise
def add_n(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF AddN -> a chain of SUM."""
    return reduce(lambda a, b: binary(ctx, "SUM", a, b), inputs)


@converter("ClipByValue", engine="tensorrt", spec=OpSpec(dtypes=NUMERIC | SMALL, known_ranks=(0, 1, 2)))
@elementwise
def clip_by_value(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF ClipByValue -> activation CLIP of floats between constant scalars, else MAX(MIN(x, high), low)."""
    x, low, high = inputs
    bounds = [view.const(i) for i in (1, 2)]
    known = [float(b) for b in bounds if b is not None and b.ndim == 0]
    if view.dtype() in FLOATS and len(known) == 2 and np.all(np.isfinite(known)):
        return activation(ctx, "CLIP", x, *known)
    return binary(ctx, "MAX", binary(ctx, "MIN", x, high), low)


def zero_guard(ctx: TensorRtContext, deciding: Any, otherwise: Any) -> Any:
    """Emit 0 where `deciding` is 0, else `otherwise`."""
    zero = like(ctx, deciding, 0)
    return select(ctx, binary(ctx, "EQUAL", deciding, zero), zero, otherwise)


@converter("MulNoNan", engine="tensorrt", spec=_FLOAT)
@elementwise
def mul_no_nan(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF MulNoNan -> 0 where y is 0, else x * y."""
    return zero_guard(ctx, inputs[1], binary(ctx, "PROD", *inputs))


@converter("Xdivy", engine="tensorrt", spec=_FLOAT)
@elementwise
def xdivy(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Xdivy -> 0 where x is 0, else x / y."""
    return zero_guard(ctx, inputs[0], binary(ctx, "DIV", *inputs))


@converter("Xlogy", engine="tensorrt", spec=_FLOAT)
@elementwise
def xlogy(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Xlogy -> 0 where x is 0, else x * log(y)."""
    return zero_guard(ctx, inputs[0], binary(ctx, "PROD", inputs[0], unary(ctx, "LOG", inputs[1])))


@converter("Xlog1py", engine="tensorrt", spec=_FLOAT)
@elementwise
def xlog1py(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Xlog1py -> 0 where x is 0, else x * log(1 + y)."""
    return zero_guard(ctx, inputs[0], binary(ctx, "PROD", inputs[0], log1p_of(ctx, inputs[1])))


@converter("Atan2", engine="tensorrt", spec=_FLOAT)
@elementwise
def atan2(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Atan2 -> ATAN(y / x), moved by half a turn to the side of y where x is negative."""
    y, x = inputs
    zero = like(ctx, y, 0)

    def is_negative(value: Any) -> Any:
        # The sign bit of zero shows in its reciprocal only.
        inverse = binary(ctx, "LESS", unary(ctx, "RECIP", value), zero)
        return binary(ctx, "OR", binary(ctx, "LESS", value, zero), inverse)

    below, left = is_negative(y), is_negative(x)

    def signed(angle: float) -> Any:
        return select(ctx, below, like(ctx, y, -angle), like(ctx, y, angle))

    both_infinite = binary(ctx, "AND", unary(ctx, "ISINF", y), unary(ctx, "ISINF", x))
    signs = binary(ctx, "PROD", unary(ctx, "SIGN", y), unary(ctx, "SIGN", x))
    angle = unary(ctx, "ATAN", select(ctx, both_infinite, signs, binary(ctx, "DIV", y, x)))
    angle = select(ctx, left, binary(ctx, "SUM", angle, signed(np.pi)), angle)
    origin = binary(ctx, "AND", binary(ctx, "EQUAL", x, zero), binary(ctx, "EQUAL", y, zero))
    return select(ctx, origin, select(ctx, left, signed(np.pi), signed(0.0)), angle)


@converter("BiasAdd", "BiasAddV1", engine="tensorrt", spec=OpSpec(dtypes=NUMERIC, known_ranks=(0,), ranks={1: (1,)}))
def bias_add(ctx: TensorRtContext, view: NodeView) -> None:
    """TF BiasAdd -> SUM with the bias along the channels, which are the second dimension in NCHW, else the last."""
    perm, rank = ctx.perm_of(view, 0), view.known_rank(0)
    channel = 1 if str(view.attr("data_format", "NHWC")).startswith("NC") else rank - 1
    order = perm or tuple(range(rank))
    shape = [-1 if d == channel else 1 for d in order]
    known = view.const(1)
    bias = reshape(ctx, ctx.get(view, 1), shape) if known is None else ctx.const(known.reshape(shape))
    ctx.set(view, 0, binary(ctx, "SUM", ctx.get(view, 0, perm), bias), perm)


CONVERTERS = (
    *(plain_binary(*row) for row in _SAME),
    *(power, squared_difference, add_n, clip_by_value, mul_no_nan, xdivy, xlogy, xlog1py, atan2, bias_add),
)
