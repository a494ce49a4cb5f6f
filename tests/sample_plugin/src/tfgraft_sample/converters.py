"""Converters: elementwise ops for the sample engine, and one op more for all engines that go through ONNX."""

from __future__ import annotations

from typing import Any

from tfgraft.graph.dtypes import FLOATS, NUMERIC
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft_sample.program import FUNCTIONS, Program

_OPS = sorted(FUNCTIONS)


@converter(_OPS[0], *_OPS[1:], engine="sample", spec=OpSpec(dtypes=NUMERIC))
def elementwise(program: Program, view: NodeView) -> None:
    """Note one step."""
    program.steps.append((view.op, [str(item.ref) for item in view.inputs], f"{view.name}:0"))


@converter("Softsign", engine="onnx", spec=OpSpec(dtypes=FLOATS))
def softsign(ctx: Any, view: NodeView) -> None:
    """TF Softsign -> Softsign."""
    ctx.set(view, 0, ctx.node("Softsign", [ctx.get(view, 0)]))
