"""What OpenVINO computes otherwise if it is written as ONNX's op for it: products of integers, and floats as bools."""

from __future__ import annotations

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.graph.dtypes import INTS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_SIZES = frozenset({"int32", "int64"})
_FLOAT = frozenset({"float16", "float32", "bfloat16"})
_FACTORS = 8
"""A vector of at most so many integers is multiplied one by one."""


def is_short_vector(view: NodeView) -> Support:
    """Refuse all but a few integers, as sizes are; code unknown-dim."""
    shape = view.shape(0) or (-1,)
    if len(shape) == 1 and 1 <= shape[0] <= _FACTORS:
        return SUPPORTED
    return Unsupported(
        "unknown-dim", f"OpenVINO multiplies vectors of {_FACTORS} integers at most, of known length.", "input 0"
    )


@converter(
    "Prod",
    engine="openvino",
    spec=OpSpec(dtypes=_SIZES, input_dtypes={1: INTS}, ranks={0: (1,)}, constants=(1,)),
    check=is_short_vector,
    notes="Integers one by one: OpenVINO's ReduceProd multiplies in float32.",
)
def product(ctx: OnnxContext, view: NodeView) -> None:
    """TF Prod of a few integers (a tensor's sizes) -> Mul after Mul."""
    vector = ctx.get(view, 0)
    (length,) = view.shape(0) or ()
    keep = bool(view.attr("keep_dims", False))
    factors = [ctx.node("Gather", [vector, ctx.const([i] if keep else i, "int64")], axis=0) for i in range(length)]
    result = factors[0]
    for factor in factors[1:]:
        result = ctx.node("Mul", [result, factor])
    ctx.set(view, 0, result)


def _is_to_bool(view: NodeView) -> Support:
    if view.outputs[0].dtype == "bool":
        return SUPPORTED
    return Unsupported("dtype", "This entry is for bools.", "output 0")


@converter(
    "Cast",
    engine="openvino",
    spec=OpSpec(input_dtypes={0: _FLOAT}),
    check=_is_to_bool,
    notes="OpenVINO's Convert takes fractions below one for False.",
)
def to_bool(ctx: OnnxContext, view: NodeView) -> None:
    """TF Cast of floats to bool -> Not, Equal to zero."""
    perm = ctx.perm_of(view, 0)
    value = ctx.get(view, 0, perm)
    ctx.set(view, 0, ctx.node("Not", [ctx.node("Equal", [value, ctx.const(0, view.dtype())])]), perm)


CONVERTERS = (product, to_bool)
