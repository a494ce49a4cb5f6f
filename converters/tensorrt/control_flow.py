"""Branches and loops whose branches and bodies are functions."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.tensorrt.bodies import body_of, check_body, convert_body
from tfgraft.converters.tensorrt.context import ALL, BOOL, PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.emit import binary, like, unary
from tfgraft.converters.tensorrt.while_loop import check_while, convert_while
from tfgraft.graph.graph import Graph
from tfgraft.graph.view import NodeView
from tfgraft.graph.views import tensor_info
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Supported, Unsupported

_BRANCHES = ("then_branch", "else_branch")


def _branches(view: NodeView) -> list[Graph]:
    return [body_of(view, attr, [item.info for item in view.inputs[1:]]) for attr in _BRANCHES]


def _check_if(view: NodeView) -> Support:
    try:
        branches = _branches(view)
    except ValueError as error:
        return Unsupported("control-flow", f"{error}.", view.op)
    for branch in branches:
        support = check_body(view, branch)
        if not isinstance(support, Supported):
            return support
    for i in range(len(view.outputs)):
        then, other = (tensor_info(branch, branch.fetches[i]).rank for branch in branches)
        if then is None or other is None:
            return Unsupported("unknown-rank", f"The rank of output {i} of {view.op} is not known.", f"output {i}")
        if then != other:
            return Unsupported(
                "rank", f"The branches of {view.op} give output {i} rank {then} and {other}.", f"output {i}"
            )
    return SUPPORTED


@converter(
    "If",
    "StatelessIf",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={0: ALL}, ranks={0: (0,)}),
    check=_check_if,
)
def if_node(ctx: TensorRtContext, view: NodeView) -> None:
    """TF If, StatelessIf -> a conditional with the layers of both functions."""
    conditional = ctx.network.add_if_conditional()
    ctx.name(conditional.set_condition(_as_bool(ctx, view)), "condition")
    arguments = [_named(ctx, conditional.add_input(ctx.get(view, i)), "input") for i in range(1, len(view.inputs))]
    then, other = (convert_body(ctx, branch, arguments) for branch in _branches(view))
    for port, results in enumerate(zip(then, other, strict=True)):
        ctx.set(view, port, _named(ctx, conditional.add_output(*results), "output"))


def _as_bool(ctx: TensorRtContext, view: NodeView) -> Any:
    """Return the condition; a number is true unless it is zero."""
    value = ctx.get(view, 0)
    return value if view.dtype() in BOOL else unary(ctx, "NOT", binary(ctx, "EQUAL", value, like(ctx, value, 0)))


def _named(ctx: TensorRtContext, layer: Any, kind: str) -> Any:
    ctx.name(layer, kind)
    return ctx.checked(layer.get_output(0), kind)


@converter("While", "StatelessWhile", engine="tensorrt", spec=OpSpec(dtypes=PLAIN), check=check_while)
def while_node(ctx: TensorRtContext, view: NodeView) -> None:
    """TF While, StatelessWhile -> a loop with the layers of both functions."""
    convert_while(ctx, view)


CONVERTERS = (if_node, while_node)
