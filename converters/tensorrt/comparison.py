"""Comparisons and logic."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.tensorrt.context import BOOL, FLOATS, NUMERIC, PLAIN, SMALL, TensorRtContext
from tfgraft.converters.tensorrt.emit import binary, like, unary
from tfgraft.converters.tensorrt.layout import elementwise
from tfgraft.graph.view import NodeView, Shape
from tfgraft.registry.entry import Converter, OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_ORDERED = OpSpec(dtypes=NUMERIC | SMALL, output_dtypes={0: BOOL}, known_ranks=(0, 1))
_LOGIC = OpSpec(dtypes=BOOL, known_ranks=(0, 1))

_SAME: tuple[tuple[str, str, OpSpec], ...] = (
    ("Less", "LESS", _ORDERED),
    ("Greater", "GREATER", _ORDERED),
    ("LogicalAnd", "AND", _LOGIC),
    ("LogicalOr", "OR", _LOGIC),
)


def _same(op: str, kind: str, spec: OpSpec) -> tuple[Converter, ...]:
    @converter(op, engine="tensorrt", spec=spec)
    @elementwise
    def convert(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
        return binary(ctx, kind, *inputs)

    return convert


@converter("LessEqual", "GreaterEqual", engine="tensorrt", spec=_ORDERED)
@elementwise
def or_equal(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF LessEqual, GreaterEqual -> LESS or GREATER, or EQUAL: "not greater" would be true of NaN."""
    strict = {"LessEqual": "LESS", "GreaterEqual": "GREATER"}[view.op]
    if view.dtype() in FLOATS:
        return binary(ctx, "OR", binary(ctx, strict, *inputs), binary(ctx, "EQUAL", *inputs))
    return unary(ctx, "NOT", binary(ctx, strict, *reversed(inputs)))


def _broadcast(a: Shape, b: Shape) -> bool:
    """Tell whether two shapes are known to broadcast against each other."""
    if a is None or b is None:
        return False
    return all(1 in (x, y) or (x == y and x != -1) for x, y in zip(a[::-1], b[::-1], strict=False))


def _check_equal(view: NodeView) -> Support:
    if view.attr("incompatible_shape_error", True) or _broadcast(view.shape(0), view.shape(1)):
        return SUPPORTED
    return Unsupported(
        "attribute",
        f"{view.op} may give a single False for shapes that do not fit, and these are not known to fit.",
        "attr incompatible_shape_error",
        "Give input_shapes.",
    )


@converter(
    "Equal",
    "NotEqual",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, output_dtypes={0: BOOL}, known_ranks=(0, 1)),
    check=_check_equal,
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


CONVERTERS = (*(_same(*row) for row in _SAME), or_equal, equal, approximate_equal)
