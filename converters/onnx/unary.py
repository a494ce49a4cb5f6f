"""Elementwise ops of one input."""

from __future__ import annotations

import numpy as np

from tfgraft.converters.onnx.carrier import carried
from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.layout import elementwise
from tfgraft.graph.dtypes import BOOL, FLOATS, INTS, NUMERIC
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import Converter, OpSpec, converter

_NARROW = frozenset({"float16", "float32"})
_WIDE = frozenset({"float32", "float64"})
_SIGNED = FLOATS | {"int8", "int16", "int32", "int64"}

_SAME: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("Abs", "Abs", _SIGNED),
    ("Neg", "Neg", _SIGNED),
    ("Exp", "Exp", FLOATS),
    ("Log", "Log", FLOATS),
    ("Sqrt", "Sqrt", FLOATS),
    ("Reciprocal", "Reciprocal", FLOATS),
    ("Inv", "Reciprocal", FLOATS),
    ("Floor", "Floor", FLOATS),
    ("Ceil", "Ceil", FLOATS),
    ("Rint", "Round", FLOATS),
    ("Round", "Round", FLOATS),
    ("Erf", "Erf", _NARROW),
    ("Sin", "Sin", FLOATS),
    ("Cos", "Cos", FLOATS),
    ("Tan", "Tan", _NARROW),
    ("Asin", "Asin", _NARROW),
    ("Acos", "Acos", _NARROW),
    ("Atan", "Atan", _NARROW),
    ("Sinh", "Sinh", _NARROW),
    ("Cosh", "Cosh", _NARROW),
    ("Tanh", "Tanh", FLOATS),
    ("Asinh", "Asinh", _NARROW),
    ("Acosh", "Acosh", _NARROW),
    ("Atanh", "Atanh", _NARROW),
    ("Sigmoid", "Sigmoid", FLOATS),
    ("LogicalNot", "Not", BOOL),
    ("Invert", "BitwiseNot", INTS),
)
"""TF op, ONNX op with the same meaning, types that ONNX Runtime's CPU kernels of opset 18 take."""


def _same(op: str, onnx_op: str, dtypes: frozenset[str]) -> tuple[Converter, ...]:
    @converter(op, engine="onnx", spec=OpSpec(dtypes=dtypes))
    @elementwise
    def convert(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
        return ctx.node(onnx_op, inputs)

    return convert


@converter("Sign", engine="onnx", spec=OpSpec(dtypes=NUMERIC))
@elementwise
def sign(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Sign -> Sign; ONNX Runtime's float16 kernel makes zero of NaN, so float16 goes through float32."""
    native = NUMERIC - {"float16"}
    return carried(ctx, view.dtype(), native, inputs, lambda x: ctx.node("Sign", x))


@converter("Square", engine="onnx", spec=OpSpec(dtypes=NUMERIC))
@elementwise
def square(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Square -> x * x."""
    return ctx.node("Mul", [inputs[0], inputs[0]])


@converter("Rsqrt", engine="onnx", spec=OpSpec(dtypes=FLOATS))
@elementwise
def rsqrt(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Rsqrt -> 1 / Sqrt."""
    return ctx.node("Reciprocal", [ctx.node("Sqrt", inputs)])


@converter("Expm1", engine="onnx", spec=OpSpec(dtypes=_WIDE))
@elementwise
def expm1(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Expm1 -> Exp(x) - 1, made exact for small x by Kahan's (u - 1) * x / log(u) with u = exp(x)."""
    x, one = inputs[0], ctx.const(1, view.dtype())
    u = ctx.node("Exp", [x])
    plain = ctx.node("Sub", [u, one])
    exact = ctx.node("Div", [ctx.node("Mul", [plain, x]), ctx.node("Log", [u])])
    exact = ctx.node("Where", [ctx.node("Equal", [u, one]), x, exact])
    return ctx.node("Where", [ctx.node("Less", [ctx.node("Abs", [x]), one]), exact, plain])


@converter("Log1p", engine="onnx", spec=OpSpec(dtypes=_WIDE))
@elementwise
def log1p(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Log1p -> log(1 + x), made exact for small x; see `log1p_of`."""
    return log1p_of(ctx, inputs[0], view.dtype())


def log1p_of(ctx: OnnxContext, x: str, dtype: str) -> str:
    """Emit log(1 + x) by Kahan's log(u) * x / (u - 1) with u = 1 + x."""
    one, infinity = ctx.const(1, dtype), ctx.const(np.inf, dtype)
    u = ctx.node("Add", [x, one])
    exact = ctx.node("Div", [ctx.node("Mul", [ctx.node("Log", [u]), x]), ctx.node("Sub", [u, one])])
    rim = ctx.node("Or", [ctx.node("Equal", [u, one]), ctx.node("Equal", [u, infinity])])
    return ctx.node("Where", [rim, x, exact])


_TO_BOOL = OpSpec(dtypes=FLOATS, output_dtypes={0: BOOL})


@converter("IsNan", engine="onnx", spec=_TO_BOOL)
@elementwise
def is_nan(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF IsNan -> IsNaN."""
    return ctx.node("IsNaN", inputs)


@converter("IsInf", engine="onnx", spec=_TO_BOOL)
@elementwise
def is_inf(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF IsInf -> IsInf, which has no float16 kernel."""
    return carried(ctx, view.dtype(), _WIDE, inputs, lambda x: ctx.node("IsInf", x), back=False)


@converter("IsFinite", engine="onnx", spec=_TO_BOOL)
@elementwise
def is_finite(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF IsFinite -> |x| < infinity, which NaN is not."""
    return ctx.node("Less", [ctx.node("Abs", inputs), ctx.const(np.inf, view.dtype())])


CONVERTERS = (
    *(_same(*row) for row in _SAME),
    sign,
    square,
    rsqrt,
    expm1,
    log1p,
    is_nan,
    is_inf,
    is_finite,
)
