"""Comparisons, logic and selection."""

from __future__ import annotations

from tfgraft.converters.equality import check_equal
from tfgraft.converters.onnx.carrier import carried
from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.layout import broadcast_inputs, elementwise
from tfgraft.graph.dtypes import BOOL, NUMERIC, PLAIN
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import Converter, OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_ORDER: tuple[tuple[str, str], ...] = (
    ("Less", "Less"),
    ("LessEqual", "LessOrEqual"),
    ("Greater", "Greater"),
    ("GreaterEqual", "GreaterOrEqual"),
)
_LOGIC: tuple[tuple[str, str], ...] = (("LogicalAnd", "And"), ("LogicalOr", "Or"))
_WHERE = frozenset({"float16", "float32", "float64", "int8", "int32", "int64", "uint8", "uint32"})
"""Types that Where has kernels for."""


def _plain(op: str, onnx_op: str, spec: OpSpec) -> tuple[Converter, ...]:
    @converter(op, engine="onnx", spec=spec)
    @elementwise
    def convert(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
        return ctx.node(onnx_op, inputs)

    return convert


@converter("Equal", "NotEqual", engine="onnx", spec=OpSpec(dtypes=PLAIN), check=check_equal)
@elementwise
def equal(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF Equal, NotEqual -> Equal, and Not."""
    same = ctx.node("Equal", inputs)
    return same if view.op == "Equal" else ctx.node("Not", [same])


def where(ctx: OnnxContext, dtype: str, condition: str, yes: str, no: str) -> str:
    """Emit Where; types that it has no kernel for are carried, booleans are logic."""
    if dtype == "bool":
        chosen = ctx.node("And", [condition, yes])
        return ctx.node("Or", [chosen, ctx.node("And", [ctx.node("Not", [condition]), no])])
    return carried(ctx, dtype, _WHERE, [yes, no], lambda x: ctx.node("Where", [condition, *x]))


@converter("SelectV2", engine="onnx", spec=OpSpec(dtypes=PLAIN, input_dtypes={0: BOOL}))
@elementwise
def select_v2(ctx: OnnxContext, view: NodeView, inputs: list[str]) -> str:
    """TF SelectV2 -> Where."""
    return where(ctx, view.dtype(1), *inputs)


def _check_select(view: NodeView) -> Support:
    if view.rank(0) == 0 or (view.rank(0) is not None and view.rank(0) == view.rank(1)):
        return SUPPORTED
    for i in (0, 1):
        if view.rank(i) is None:
            return Unsupported(
                "unknown-rank", f"Select needs the rank of input {i}.", f"input {i}", "Give input_shapes."
            )
    return SUPPORTED


@converter("Select", engine="onnx", spec=OpSpec(dtypes=PLAIN, input_dtypes={0: BOOL}), check=_check_select)
def select(ctx: OnnxContext, view: NodeView) -> None:
    """TF Select -> Where. A condition of rank 1 chooses whole rows."""
    if view.rank(0) == 1 and view.known_rank(1) > 1:
        (yes, no), perm = broadcast_inputs(ctx, view, (1, 2))
        row = perm.index(0) if perm else 0
        others = [d for d in range(view.known_rank(1)) if d != row]
        condition = ctx.node("Unsqueeze", [ctx.get(view, 0), ctx.ints(others)])
    else:
        (condition, yes, no), perm = broadcast_inputs(ctx, view, (0, 1, 2))
    ctx.set(view, 0, where(ctx, view.dtype(1), condition, yes, no), perm)


CONVERTERS = (
    *(_plain(a, b, OpSpec(dtypes=NUMERIC, output_dtypes={0: BOOL})) for a, b in _ORDER),
    *(_plain(a, b, OpSpec(dtypes=BOOL)) for a, b in _LOGIC),
    equal,
    select_v2,
    select,
)
