"""Division and remainders, by TensorFlow's rules for signs and zeros.

ONNX Runtime divides integers as the processor does: a zero divisor, or -1 under the smallest number, ends the process.
So integer divisors must be constants without those, and TensorFlow keeps the rest with its error message.
"""

from __future__ import annotations

import numpy as np

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.layout import elementwise
from tfgraft.graph.dtypes import FLOATS, INTS, NUMERIC
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def _check(view: NodeView) -> Support:
    if view.dtype() in FLOATS:
        return SUPPORTED
    divisor = view.const(1)
    if divisor is None:
        return Unsupported(
            "not-constant",
            f"{view.op} of integers needs a constant divisor: dividing by zero would end the process.",
            "input 1",
        )
    if np.any(divisor == 0) or (view.dtype().startswith("int") and np.any(divisor == -1)):
        return Unsupported("attribute", f"{view.op} of integers takes no divisor of 0 or -1.", "input 1")
    return SUPPORTED


@converter("RealDiv", engine="onnx", spec=OpSpec(dtypes=FLOATS))
@elementwise
def real_div(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF RealDiv -> Div."""
    return ctx.node("Div", inputs)


@converter("Div", engine="onnx", spec=OpSpec(dtypes=NUMERIC), check=_check)
@elementwise
def div(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Div -> Div, which rounds integers towards zero as TensorFlow does."""
    return ctx.node("Div", inputs)


@converter("TruncateDiv", engine="onnx", spec=OpSpec(dtypes=INTS), check=_check)
@elementwise
def truncate_div(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF TruncateDiv -> Div."""
    return ctx.node("Div", inputs)


@converter("FloorDiv", engine="onnx", spec=OpSpec(dtypes=NUMERIC), check=_check)
@elementwise
def floor_div(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF FloorDiv -> Div, rounded down: one less where the remainder's sign is not the divisor's."""
    dtype = view.dtype()
    quotient = ctx.node("Div", inputs)
    if dtype in FLOATS:
        return ctx.node("Floor", [quotient])
    if dtype.startswith("uint"):
        return quotient
    remainder = _remainder(ctx, inputs, quotient)
    down = _signs_differ(ctx, view, remainder, inputs[1])
    return ctx.node("Sub", [quotient, ctx.cast(down, dtype)])


@converter("FloorMod", engine="onnx", spec=OpSpec(dtypes=NUMERIC), check=_check)
@elementwise
def floor_mod(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF FloorMod (the divisor's sign) -> Mod, which for floats has the dividend's sign and is moved."""
    if view.dtype() in INTS:
        return ctx.node("Mod", inputs)
    remainder = ctx.node("Mod", inputs, fmod=1)
    moved = ctx.node("Add", [remainder, inputs[1]])
    return ctx.node("Where", [_signs_differ(ctx, view, remainder, inputs[1]), moved, remainder])


@converter("Mod", "TruncateMod", engine="onnx", spec=OpSpec(dtypes=NUMERIC), check=_check)
@elementwise
def truncate_mod(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Mod, TruncateMod (the dividend's sign) -> Mod for floats, x - (x / y) * y for integers."""
    if view.dtype() in FLOATS:
        return ctx.node("Mod", inputs, fmod=1)
    return _remainder(ctx, inputs, ctx.node("Div", inputs))


@converter("DivNoNan", engine="onnx", spec=OpSpec(dtypes=FLOATS))
@elementwise
def div_no_nan(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF DivNoNan -> 0 where y is 0, else x / y."""
    quotient = ctx.node("Div", inputs)
    divisor = view.const(1)
    if divisor is not None and np.all(divisor != 0):
        return quotient
    zero = ctx.const(0, view.dtype())
    return ctx.node("Where", [ctx.node("Equal", [inputs[1], zero]), zero, quotient])


def _remainder(ctx: OnnxContext, inputs: list[str], quotient: str) -> str:
    return ctx.node("Sub", [inputs[0], ctx.node("Mul", [quotient, inputs[1]])])


def _signs_differ(ctx: OnnxContext, view: NodeView, remainder: str, divisor: str) -> str:
    """Emit: the remainder is not zero and its sign is not the divisor's."""
    zero = ctx.const(0, view.dtype())
    known = view.const(1)
    negative = ctx.node("Less", [remainder, zero])
    if known is not None and np.all(known > 0):
        return negative
    positive = ctx.node("Greater", [remainder, zero])
    below = ctx.node("Less", [divisor, zero])
    return ctx.node("Or", [ctx.node("And", [positive, below]), ctx.node("And", [negative, ctx.node("Not", [below])])])


CONVERTERS = (real_div, div, truncate_div, floor_div, floor_mod, truncate_mod, div_no_nan)
