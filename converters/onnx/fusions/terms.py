"""Values as terms: what constants they are multiplied with, shifted by, and of which other values they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfgraft.converters.onnx.fusions.rewriter import Rewriter


@dataclass(frozen=True)
class Affine:
    """`factor * value + shift`."""

    value: str
    factor: float = 1.0
    shift: float = 0.0


def affine(rewriter: Rewriter, value: str) -> Affine:
    """Follow Add, Sub, Mul, Div and Neg with scalar constants back to what they began with."""
    factor, shift = 1.0, 0.0
    while (step := _step(rewriter, value)) is not None:
        factor, shift, value = factor * step.factor, shift + factor * step.shift, step.value
    return Affine(value, factor, shift)


def scaled(rewriter: Rewriter, value: str) -> tuple[str, float]:
    """Follow Mul, Div and Neg with scalar constants back; return what they began with, and the factor."""
    factor = 1.0
    while (step := _step(rewriter, value)) is not None and step.shift == 0:
        factor, value = factor * step.factor, step.value
    return value, factor


def _step(rewriter: Rewriter, value: str) -> Affine | None:
    """Return a value in terms of the one that a single node made it of, None if that is not affine."""
    node = rewriter.maker(value, "Add", "Sub", "Mul", "Div", "Neg")
    if node is None:
        return None
    if node.op_type == "Neg":
        return Affine(node.input[0], -1.0)
    parts = rewriter.split(node)
    number = None if parts is None else _number(rewriter, parts[1])
    if parts is None or number is None:
        return None
    x, first = parts[0], node.input[0] == parts[0]
    if node.op_type == "Add":
        return Affine(x, 1.0, number)
    if node.op_type == "Sub":
        return Affine(x, 1.0, -number) if first else Affine(x, -1.0, number)
    if node.op_type == "Mul":
        return Affine(x, number)
    return Affine(x, 1 / number) if first and number else None


def _number(rewriter: Rewriter, value: str) -> float | None:
    """Return a constant of one element that gives no result a dimension more: of rank 0, or 1."""
    return rewriter.scalar(value) if len(rewriter.dims(value) or ()) <= 1 else None


def product(rewriter: Rewriter, value: str) -> tuple[tuple[str, str], float] | None:
    """Return the two values and the number whose product a value is, or None if it is none of two values."""
    core, factor = scaled(rewriter, value)
    node = rewriter.maker(core, "Mul")
    if node is None or any(rewriter.is_constant(name) for name in node.input):
        return None
    sides = [scaled(rewriter, name) for name in node.input]
    return (sides[0][0], sides[1][0]), factor * sides[0][1] * sides[1][1]


def operands(node: Any) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the inputs of a commutative node in both orders."""
    a, b = node.input
    return (a, b), (b, a)
