"""Einsum: as a plain matrix product where it is one, else as ONNX Einsum."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import Perm
from tfgraft.graph.dtypes import FLOATS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


@dataclass(frozen=True)
class _Product:
    """An einsum of two operands as a matrix product: labels of each group, in the order in which they are laid out."""

    left: str
    right: str
    batch: str
    rows: str
    contracted: str
    columns: str
    swapped: bool

    @property
    def result(self) -> str:
        return self.batch + self.rows + self.columns


def _labels(view: NodeView) -> tuple[list[str], str]:
    inputs, _, output = str(view.attr("equation", "")).partition("->")
    return inputs.split(","), output


def _plan(view: NodeView) -> _Product | None:
    """Return the matrix product that an equation is, with the fewest tensors to transpose, or None."""
    operands, output = _labels(view)
    if len(operands) != 2 or any(len(set(x)) != len(x) or not x.isalpha() for x in operands):
        return None
    plans = []
    for swapped in (False, True):
        left, right = operands[::-1] if swapped else operands
        contracted = "".join(c for c in left if c in right and c not in output)
        batch = "".join(c for c in output if c in left and c in right)
        rows = "".join(c for c in output if c in left and c not in right)
        columns = "".join(c for c in output if c in right and c not in left)
        summed_alone = len(batch + rows + contracted) != len(left) or len(batch + columns + contracted) != len(right)
        if summed_alone or not contracted or not columns or not rows:
            continue
        if batch and len(rows) > 1:
            continue
        # Without batch labels the left operand may have any number of leading dimensions: only the right one is merged.
        plans.append(_Product(left, right, batch, rows, contracted, columns, swapped))
    return min(plans, key=lambda plan: _transposes(view, plan, output), default=None)


def _transposes(view: NodeView, plan: _Product, output: str) -> int:
    """Return how many tensors a product needs in another order than they have; constants are laid out beforehand."""
    left_i, right_i = (1, 0) if plan.swapped else (0, 1)
    left = not view.inputs[left_i].is_constant and plan.batch + plan.rows + plan.contracted != plan.left
    right = not view.inputs[right_i].is_constant and plan.batch + plan.contracted + plan.columns != plan.right
    return left + right + (plan.result != output)


def _check(view: NodeView) -> Support:
    operands, output = _labels(view)
    equation = view.attr("equation", "")
    if "->" not in str(equation) or "." in str(equation) or any(len(set(x)) != len(x) for x in (*operands, output)):
        return Unsupported(
            "attribute",
            f"Einsum is taken with an output and neither ellipsis nor repeated labels, not {equation!r}.",
            "attr equation",
        )
    return SUPPORTED


@converter("Einsum", engine="onnx", spec=OpSpec(dtypes=FLOATS | {"int32", "int64"}), check=_check)
def einsum(ctx: OnnxContext, view: NodeView) -> None:
    """TF Einsum -> MatMul with the Transposes and Reshapes that it takes, or Einsum."""
    plan = _plan(view)
    result = None if plan is None else _product(ctx, view, plan)
    if result is None:
        inputs = [ctx.get(view, i) for i in range(len(view.inputs))]
        result = ctx.node("Einsum", inputs, equation=str(view.attr("equation"))), None
    ctx.set(view, 0, *result)


def _product(ctx: OnnxContext, view: NodeView, plan: _Product) -> tuple[str, Perm | None] | None:
    """Emit a matrix product; None if a merged dimension is not known."""
    sizes: dict[str, int] = {}
    left_i, right_i = (1, 0) if plan.swapped else (0, 1)
    for labels, i in ((plan.left, left_i), (plan.right, right_i)):
        shape = view.shape(i)
        if shape is None:
            return None
        sizes.update({c: d for c, d in zip(labels, shape, strict=True) if d >= 0 or c not in sizes})
    merged = (plan.columns if len(plan.columns) > 1 else "") + (plan.contracted if len(plan.contracted) > 1 else "")
    if any(sizes[c] < 0 for c in merged) or (merged and plan.batch):
        return None

    order = plan.batch + plan.rows + plan.contracted
    left = ctx.get(view, left_i, tuple(plan.left.index(c) for c in order))
    if len(plan.contracted) > 1:
        kept = [0] * len(plan.rows)
        left = ctx.node("Reshape", [left, ctx.ints([*kept, math.prod(sizes[c] for c in plan.contracted)])])

    perm = tuple(plan.right.index(c) for c in plan.batch + plan.contracted + plan.columns)
    if merged:
        flat = (math.prod(sizes[c] for c in plan.contracted), math.prod(sizes[c] for c in plan.columns))
        if 0 in flat:
            return None
        if ctx.is_weight(view, right_i):
            right = ctx.weight(view, right_i, perm, flat)
        else:
            right = ctx.node("Reshape", [ctx.get(view, right_i, perm), ctx.ints(flat)])
    else:
        right = ctx.get(view, right_i, perm)

    result = ctx.node("MatMul", [left, right])
    if len(plan.columns) > 1:
        kept = [0] * len(plan.rows)
        result = ctx.node("Reshape", [result, ctx.ints([*kept, *(sizes[c] for c in plan.columns)])])
    _, output = _labels(view)
    return result, tuple(output.index(c) for c in plan.result)


CONVERTERS = (einsum,)
