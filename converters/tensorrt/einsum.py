"""Einsum, as a matrix product where it is one, which is what TensorRT fuses best; else as a product and a sum.

TensorRT's own Einsum layer takes neither ellipses nor repeated labels, and does not broadcast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfgraft.converters.tensorrt.context import INTS, NUMERIC, TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, dims_of, plus, product, times
from tfgraft.converters.tensorrt.emit import cut, reshape, unsqueeze
from tfgraft.converters.tensorrt.products import check_integers, check_labels, sum_of_products
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import Support, Unsupported


@dataclass(frozen=True)
class Operand:
    """A value with a label for each of its dimensions, in the order in which it is held.

    `value` is an `ITensor`, or the array of a constant, which numpy transposes.
    """

    value: Any
    labels: str

    def tensor(self, ctx: TensorRtContext, order: str) -> Any:
        """Return the value as an `ITensor` with its dimensions in the order of some labels."""
        perm = [self.labels.index(c) for c in order]
        if isinstance(self.value, np.ndarray):
            return ctx.const(np.ascontiguousarray(self.value.transpose(perm)))
        return ctx.transpose(self.value, perm)

    def diagonal(self, ctx: TensorRtContext) -> Operand:
        """Return the operand with each label once: the diagonal over dimensions that share one."""
        twice = next((c for c in self.labels if self.labels.count(c) > 1), None)
        if twice is None:
            return self
        first = self.labels.index(twice)
        pair = [first, self.labels.index(twice, first + 1)]
        others = [d for d in range(len(self.labels)) if d not in pair]
        x = ctx.const(self.value) if isinstance(self.value, np.ndarray) else self.value
        x = ctx.transpose(x, others + pair)
        *outer, _, n = dims_of(ctx, x)
        flat = reshape(ctx, x, [*outer, times(ctx, n, n)])
        ones = [1] * len(outer)
        x = cut(ctx, flat, [0] * len(flat.shape), [*outer, n], [*ones, plus(ctx, n, 1)])
        return Operand(x, "".join(self.labels[d] for d in others) + twice).diagonal(ctx)


def labels_of(view: NodeView) -> tuple[list[str], str]:
    """Return the labels of each operand and of the output, those that an ellipsis stands for spelled out."""
    left, _, output = str(view.attr("equation", "")).replace(" ", "").partition("->")
    terms = left.split(",")
    named = [len(term.replace("...", "")) for term in terms]
    extra = [
        view.known_rank(i) - n if "..." in term else 0 for i, (term, n) in enumerate(zip(terms, named, strict=True))
    ]
    hidden = "".join(chr(0x100 + k) for k in range(max(extra)))  # letters that no equation has
    terms = [term.replace("...", hidden[len(hidden) - n :]) for term, n in zip(terms, extra, strict=True)]
    return terms, output.replace("...", hidden)


def _check(view: NodeView) -> Support:
    terms, output = labels_of(view)
    if len(set(output)) < len(output):
        return Unsupported(
            "attribute",
            f"Einsum is taken with no label twice in the output, not {view.attr('equation')!r}.",
            "attr equation",
        )
    return (check_integers if len(terms) > 1 and view.dtype() in INTS else check_labels)(view, terms)


@converter(
    "Einsum",
    engine="tensorrt",
    spec=OpSpec(dtypes=NUMERIC, known_ranks=(0, 1)),
    check=_check,
    notes="Products of integers are multiplied one by one and summed, up to 2 ** 24 of them.",
)
def einsum(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Einsum -> matrix multiplication, or products and a sum."""
    terms, output = labels_of(view)
    operands = [_operand(ctx, view, i, term).diagonal(ctx) for i, term in enumerate(terms)]
    if len(operands) == 2 and view.dtype() not in INTS:
        left, right = operands
        result = _matrix_product(ctx, left, right, output)
        if result is not None:
            ctx.set(view, 0, result.value, tuple(output.index(c) for c in result.labels))
            return
    tensors = [operand.tensor(ctx, operand.labels) for operand in operands]
    ctx.set(view, 0, sum_of_products(ctx, tensors, [operand.labels for operand in operands], output))


def _operand(ctx: TensorRtContext, view: NodeView, i: int, labels: str) -> Operand:
    if view.inputs[i].is_constant:
        return Operand(ctx.array(view, i), labels)
    perm = ctx.perm_of(view, i)
    return Operand(ctx.get(view, i, perm), labels if perm is None else "".join(labels[d] for d in perm))


def _matrix_product(ctx: TensorRtContext, left: Operand, right: Operand, output: str) -> Operand | None:
    """Multiply two operands as matrices; None if that would be no gain, or labels of one of them are summed alone."""
    summed = "".join(c for c in left.labels if c in right.labels and c not in output)
    batch = "".join(c for c in output if c in left.labels and c in right.labels)
    rows = "".join(c for c in left.labels if c not in right.labels)
    columns = "".join(c for c in right.labels if c not in left.labels)
    if not summed or not rows + columns or not set(rows + columns) <= set(output):
        return None
    if not batch and len(columns) > len(rows):
        return _matrix_product(ctx, right, left, output)
    # Without batch labels the left operand may have any number of leading dimensions: none are merged.
    lead, rows = (batch, rows) if batch else (rows[:-1], rows[-1:])
    a, rows_last = _matrix(ctx, left, lead, rows, summed)
    b, columns_last = _matrix(ctx, right, batch, columns, summed)
    b = unsqueeze(ctx, b, range(len(lead) - len(batch)))
    as_is, turned = ctx.trt.MatrixOperation.NONE, ctx.trt.MatrixOperation.TRANSPOSE
    x = ctx.add("matrix_multiply", a, turned if rows_last else as_is, b, as_is if columns_last else turned)
    if len(rows) != 1 or len(columns) != 1:
        x = reshape(ctx, x, [*dims_of(ctx, x)[: len(lead)], *_sizes(ctx, left, rows), *_sizes(ctx, right, columns)])
    return Operand(x, lead + rows + columns)


def _matrix(ctx: TensorRtContext, operand: Operand, lead: str, own: str, summed: str) -> tuple[Any, bool]:
    """Return an operand as matrices whose sides are its own and the summed labels; and whether its own come last."""
    own_last = operand.labels == lead + summed + own
    sides = (summed, own) if own_last else (own, summed)
    x = operand.tensor(ctx, lead + sides[0] + sides[1])
    if len(own) != 1 or len(summed) != 1:
        merged = [product(ctx, _sizes(ctx, operand, side)) for side in sides]
        x = reshape(ctx, x, [*_sizes(ctx, operand, lead), *merged])
    return x, own_last


def _sizes(ctx: TensorRtContext, operand: Operand, labels: str) -> list[Dim]:
    """Return the dimensions that have some labels."""
    value = operand.value
    dims = list(value.shape) if isinstance(value, np.ndarray) else dims_of(ctx, value) if labels else []
    return [dims[operand.labels.index(c)] for c in labels]


CONVERTERS = (einsum,)
