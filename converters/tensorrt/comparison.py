"""Comparisons and logic."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.equality import check_equal
from tfgraft.converters.tensorrt.binary import plain_binary
from tfgraft.converters.tensorrt.context import BOOL, FLOATS, NUMERIC, PLAIN, SMALL, TensorRtContext
from tfgraft.converters.tensorrt.emit import binary, like, unary
from tfgraft.converters.tensorrt.layout import elementwise
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_ORDERED = OpSpec(dtypes=NUMERIC | SMALL, output_dtypes={0: BOOL}, known_ranks=(0, 1))
_LOGIC = OpSpec(dtypes=BOOL, known_ranks=(0, 1))

_SAME: tuple[tuple[str, str, OpSpec], ...] = (
    ("Less", "LESS", _ORDERED),
    ("Greater", "GREATER", _ORDERED),
    ("LogicalAnd", "AND", _LOGIC),
    ("LogicalOr", "OR", _LOGIC),
)


@converter("LessEqual", "GreaterEqual", engine="tensorrt", spec=_ORDERED)
@elementwise
def or_equal(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF LessEqual, GreaterEqual -> LESS or GREATER, or EQUAL: "not greater" would be true of NaN."""
    strict = {"LessEqual": "LESS", "GreaterEqual": "GREATER"}[view.op]
    if view.dtype() in FLOATS:
        return binary(ctx, "OR", binary(ctx, strict, *inputs), binary(ctx, "EQUAL", *inputs))
    return unary(ctx, "NOT", binary(ctx, strict, *reversed(inputs)))


@converter(
    "Equal",
    "NotEqual",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, output_dtypes={0: BOOL}, known_ranks=(0, 1)),
    check=check_equal,
)
@elementwise
def equal(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF Equal, NotEqual -> EQUAL, and NOT."""
    same = binary(ctx, "EQUAL", *inputs)
    return same if view.op == "Equal" else unary(ctx, "NOT", same)


@converter(
    "ApproximateEqual",
    engine="tensorrt",
    spec=OpSpec(dtypes=frozenset({"float32"}), output_dtypes={0: BOOL}, known_ranks=(0, 1)),
)
@elementwise
def approximate_equal(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF ApproximateEqual -> |x - y| < tolerance."""
    distance = unary(ctx, "ABS", binary(ctx, "SUB", *inputs))
    return binary(ctx, "LESS", distance, like(ctx, distance, float(view.attr("tolerance", 1e-5))))


CONVERTERS = (*(plain_binary(*row) for row in _SAME), or_equal, equal, approximate_equal)
