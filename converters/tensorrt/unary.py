"""Elementwise ops of one input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfgraft.converters.tensorrt.context import BOOL, FLOATS, INTS, NUMERIC, SMALL, TensorRtContext
from tfgraft.converters.tensorrt.emit import activation, binary, like, select, unary
from tfgraft.converters.tensorrt.layout import elementwise
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import Converter, OpSpec, converter

_FLOAT = OpSpec(dtypes=FLOATS, known_ranks=(0,))
_TO_BOOL = OpSpec(dtypes=FLOATS, output_dtypes={0: BOOL}, known_ranks=(0,))
_NUMERIC = OpSpec(dtypes=NUMERIC, known_ranks=(0,))

_SAME: tuple[tuple[str, str, OpSpec], ...] = (
    ("Abs", "ABS", _NUMERIC),
    ("Neg", "NEG", _NUMERIC),
    ("Sign", "SIGN", _NUMERIC),
    ("Exp", "EXP", _FLOAT),
    ("Log", "LOG", _FLOAT),
    ("Sqrt", "SQRT", _FLOAT),
    ("Reciprocal", "RECIP", _FLOAT),
    ("Inv", "RECIP", _FLOAT),
    ("Floor", "FLOOR", _FLOAT),
    ("Ceil", "CEIL", _FLOAT),
    ("Rint", "ROUND", _FLOAT),
    ("Round", "ROUND", _FLOAT),
    ("Erf", "ERF", _FLOAT),
    ("Sin", "SIN", _FLOAT),
    ("Cos", "COS", _FLOAT),
    ("Tan", "TAN", _FLOAT),
    ("Asin", "ASIN", _FLOAT),
    ("Acos", "ACOS", _FLOAT),
    ("Atan", "ATAN", _FLOAT),
    ("Sinh", "SINH", _FLOAT),
    ("Cosh", "COSH", _FLOAT),
    ("Asinh", "ASINH", _FLOAT),
    ("Acosh", "ACOSH", _FLOAT),
    ("Atanh", "ATANH", _FLOAT),
    ("IsNan", "ISNAN", _TO_BOOL),
    ("IsInf", "ISINF", _TO_BOOL),
    ("LogicalNot", "NOT", OpSpec(dtypes=BOOL, known_ranks=(0,))),
)
"""TF op, TensorRT's `UnaryOperation`, what it takes. ROUND rounds halves to even, as TensorFlow does."""


def _same(op: str, kind: str, spec: OpSpec) -> tuple[Converter, ...]:
    @converter(op, engine="tensorrt", spec=spec)
    @elementwise
    def convert(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
        return unary(ctx, kind, inputs[0])

    return convert


@converter("Square", engine="tensorrt", spec=_NUMERIC)
@elementwise
def square(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Square -> x * x."""
    return binary(ctx, "PROD", inputs[0], inputs[0])


@converter("Rsqrt", engine="tensorrt", spec=_FLOAT)
@elementwise
def rsqrt(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Rsqrt -> 1 / sqrt(x)."""
    return unary(ctx, "RECIP", unary(ctx, "SQRT", inputs[0]))


@converter("IsFinite", engine="tensorrt", spec=_TO_BOOL)
@elementwise
def is_finite(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF IsFinite -> neither infinite nor NaN."""
    return unary(ctx, "NOT", binary(ctx, "OR", unary(ctx, "ISNAN", inputs[0]), unary(ctx, "ISINF", inputs[0])))


@converter("Invert", engine="tensorrt", spec=OpSpec(dtypes=INTS | SMALL, known_ranks=(0,)))
@elementwise
def invert(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Invert -> -1 - x, and 255 - x for uint8: what turning all bits comes to."""
    return binary(ctx, "SUB", like(ctx, inputs[0], 255 if view.dtype() == "uint8" else -1), inputs[0])


@converter("Expm1", engine="tensorrt", spec=_FLOAT)
@elementwise
def expm1(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Expm1 -> exp(x) - 1; near 0, where that cancels, the equal 2 t / (1 - t) with t = tanh(x / 2)."""

    def emit(x: Any) -> Any:
        one = like(ctx, x, 1)
        t = activation(ctx, "TANH", binary(ctx, "PROD", x, like(ctx, x, 0.5)))
        near = binary(ctx, "DIV", binary(ctx, "SUM", t, t), binary(ctx, "SUB", one, t))
        far = binary(ctx, "SUB", unary(ctx, "EXP", x), one)
        return select(ctx, is_small(ctx, x), near, far)

    return in_float32(ctx, inputs[0], emit)


@converter("Log1p", engine="tensorrt", spec=_FLOAT)
@elementwise
def log1p(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Log1p -> see `log1p_of`."""
    return log1p_of(ctx, inputs[0])


def log1p_of(ctx: TensorRtContext, x: Any) -> Any:
    """Emit log(u), u = 1 + x; for small x times x / (u - 1), which takes back what rounding did to u (Kahan)."""

    def emit(x: Any) -> Any:
        one = like(ctx, x, 1)
        u = binary(ctx, "SUM", x, one)
        log = unary(ctx, "LOG", u)
        near = binary(ctx, "PROD", log, binary(ctx, "DIV", x, binary(ctx, "SUB", u, one)))
        near = select(ctx, binary(ctx, "EQUAL", u, one), x, near)
        return select(ctx, is_small(ctx, x), near, log)

    return in_float32(ctx, x, emit)


def is_small(ctx: TensorRtContext, x: Any) -> Any:
    """Emit |x| < 1/2."""
    return binary(ctx, "LESS", unary(ctx, "ABS", x), like(ctx, x, 0.5))


def in_float32(ctx: TensorRtContext, x: Any, emit: Callable[[Any], Any]) -> Any:
    """Emit something in float32, whose result is given back in x's type."""
    return ctx.cast(emit(ctx.cast(x, "float32")), ctx.dtype(x))


CONVERTERS = (*(_same(*row) for row in _SAME), square, rsqrt, is_finite, invert, expm1, log1p)
