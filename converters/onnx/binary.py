"""Elementwise arithmetic of two and more inputs, with broadcasting. Division is in `division.py`."""

from __future__ import annotations

from functools import reduce

import numpy as np

from tfgraft.converters.onnx.carrier import carried
from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.layout import elementwise
from tfgraft.converters.onnx.unary import log1p_of
from tfgraft.graph.dtypes import FLOATS, INTS, NUMERIC
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import Converter, OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_UNSIGNED = frozenset({"uint8", "uint16", "uint32", "uint64"})
_ORDERED = NUMERIC - {"int16", "uint16"}
"""Types that Max, Min and Clip have kernels for."""

_SAME: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("Add", "Add", NUMERIC),
    ("AddV2", "Add", NUMERIC),
    ("Sub", "Sub", NUMERIC),
    ("Mul", "Mul", NUMERIC),
    # ONNX Runtime computes integer powers in double, and TensorFlow refuses negative ones.
    ("Pow", "Pow", FLOATS),
    ("BitwiseAnd", "BitwiseAnd", INTS),
    ("BitwiseOr", "BitwiseOr", INTS),
    ("BitwiseXor", "BitwiseXor", INTS),
)


def _same(op: str, onnx_op: str, dtypes: frozenset[str]) -> tuple[Converter, ...]:
    @converter(op, engine="onnx", spec=OpSpec(dtypes=dtypes))
    @elementwise
    def convert(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
        return ctx.node(onnx_op, inputs)

    return convert


@converter("Maximum", "Minimum", engine="onnx", spec=OpSpec(dtypes=NUMERIC))
@elementwise
def extreme(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Maximum, Minimum -> Max, Min. NaN wins in both."""
    op = {"Maximum": "Max", "Minimum": "Min"}[view.op]
    return carried(ctx, view.dtype(), _ORDERED, inputs, lambda x: ctx.node(op, x))


@converter("SquaredDifference", engine="onnx", spec=OpSpec(dtypes=NUMERIC))
@elementwise
def squared_difference(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF SquaredDifference -> (x - y) * (x - y)."""
    difference = ctx.node("Sub", inputs)
    return ctx.node("Mul", [difference, difference])


@converter("AddN", engine="onnx", spec=OpSpec(dtypes=NUMERIC))
@elementwise
def add_n(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF AddN -> Sum, or a chain of Add for integers, which Sum has no kernels for."""
    if view.dtype() in ("float32", "float64") and len(inputs) > 2:
        return ctx.node("Sum", inputs)
    return reduce(lambda a, b: str(ctx.node("Add", [a, b])), inputs)


@converter("ClipByValue", engine="onnx", spec=OpSpec(dtypes=NUMERIC))
@elementwise
def clip_by_value(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF ClipByValue -> Clip where both bounds are constants in order, else Max(Min(x, high), low)."""
    low, high = view.const(1), view.const(2)

    def emit(values: list[str]) -> str:
        if low is not None and high is not None and low.ndim == high.ndim == 0 and low <= high:
            return ctx.node("Clip", values)
        # Where the bounds cross, TensorFlow gives the lower one, and ONNX's Clip the higher one.
        return ctx.node("Max", [ctx.node("Min", [values[0], values[2]]), values[1]])

    return carried(ctx, view.dtype(), _ORDERED, inputs, emit)


def _zero_guard(ctx: OnnxContext, view: NodeView, deciding: str, otherwise: str) -> str:
    zero = ctx.const(0, view.dtype())
    return ctx.node("Where", [ctx.node("Equal", [deciding, zero]), zero, otherwise])


@converter("MulNoNan", engine="onnx", spec=OpSpec(dtypes=FLOATS))
@elementwise
def mul_no_nan(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF MulNoNan -> 0 where y is 0, else x * y."""
    return _zero_guard(ctx, view, inputs[1], ctx.node("Mul", inputs))


@converter("Xdivy", engine="onnx", spec=OpSpec(dtypes=FLOATS))
@elementwise
def xdivy(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Xdivy -> 0 where x is 0, else x / y."""
    return _zero_guard(ctx, view, inputs[0], ctx.node("Div", inputs))


@converter("Xlogy", engine="onnx", spec=OpSpec(dtypes=FLOATS))
@elementwise
def xlogy(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Xlogy -> 0 where x is 0, else x * log(y)."""
    return _zero_guard(ctx, view, inputs[0], ctx.node("Mul", [inputs[0], ctx.node("Log", [inputs[1]])]))


@converter("Xlog1py", engine="onnx", spec=OpSpec(dtypes=frozenset({"float32", "float64"})))
@elementwise
def xlog1py(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Xlog1py -> 0 where x is 0, else x * log(1 + y)."""
    log = log1p_of(ctx, inputs[1], view.dtype())
    return _zero_guard(ctx, view, inputs[0], ctx.node("Mul", [inputs[0], log]))


@converter(
    "Atan2",
    engine="onnx",
    spec=OpSpec(dtypes=frozenset({"float16", "float32"})),
    notes="Two infinite inputs give NaN.",
)
@elementwise
def atan2(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Atan2 -> Atan(y / x), moved by the sign of y into the right half plane."""
    y, x = inputs
    dtype = view.dtype()
    zero = ctx.const(0, dtype)
    half_turn, quarter_turn = ctx.const(np.pi, dtype), ctx.const(np.pi / 2, dtype)
    # The sign bit of zero shows in its reciprocal only.
    below = ctx.node("Or", [ctx.node("Less", [y, zero]), ctx.node("Less", [ctx.node("Reciprocal", [y]), zero])])
    left = ctx.node("Or", [ctx.node("Less", [x, zero]), ctx.node("Less", [ctx.node("Reciprocal", [x]), zero])])

    def signed(positive: str) -> str:
        return ctx.node("Where", [below, ctx.node("Neg", [positive]), positive])

    angle = ctx.node("Atan", [ctx.node("Div", [y, x])])
    angle = ctx.node("Where", [left, ctx.node("Add", [angle, signed(half_turn)]), angle])
    on_axis = ctx.node("Where", [left, signed(half_turn), signed(zero)])
    angle = ctx.node("Where", [ctx.node("Equal", [x, zero]), signed(quarter_turn), angle])
    return ctx.node("Where", [ctx.node("Equal", [y, zero]), on_axis, angle])


_BITS = {"8": 7, "16": 15, "32": 31, "64": 63}


def _largest_shift(dtype: str) -> int:
    return next(most for bits, most in _BITS.items() if dtype.endswith(bits))


def _check_shift(view: NodeView) -> Support:
    if view.op == "RightShift" and view.dtype() not in _UNSIGNED:
        return Unsupported(
            "dtype", f"RightShift of {view.dtype()} has no ONNX op; taken are unsigned integers.", "input 0"
        )
    return SUPPORTED


@converter("LeftShift", "RightShift", engine="onnx", spec=OpSpec(dtypes=INTS, constants=(1,)), check=_check_shift)
def shift(ctx: OnnxContext, view: NodeView) -> None:
    """TF LeftShift, RightShift by constants -> multiplication and division by powers of two.

    TensorFlow limits the amount to the bits of the type less one.
    """
    dtype = view.dtype()
    amount = np.clip(view.known_const(1).astype(np.int64), 0, _largest_shift(dtype)).astype(np.uint64)
    factor = ctx.const(np.left_shift(np.uint64(1), amount).astype(dtype))
    perm = ctx.perm_of(view, 0) if amount.ndim == 0 else None
    op = "Mul" if view.op == "LeftShift" else "Div"
    ctx.set(view, 0, ctx.node(op, [ctx.get(view, 0, perm), factor]), perm)


CONVERTERS = (
    *(_same(*row) for row in _SAME),
    extreme,
    squared_difference,
    add_n,
    clip_by_value,
    mul_no_nan,
    xdivy,
    xlogy,
    xlog1py,
    atan2,
    shift,
)
