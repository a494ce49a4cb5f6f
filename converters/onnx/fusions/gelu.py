"""Gelu: `x * Phi(x)`, by the error function or approximated by a hyperbolic tangent, in any order of its factors.

ONNX Runtime has kernels for both that read x once; written out they are six to eight, each through the widest tensors
of a transformer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tfgraft.converters.onnx.context import CONTRIB
from tfgraft.converters.onnx.fusions.rewriter import Rewriter
from tfgraft.converters.onnx.fusions.terms import affine, operands, product, scaled

_CLOSE, _CLOSE_HALVES = 1e-6, 1e-3
"""How far off constants may be: they are rounded to the type that is computed in."""
_CUBE = 0.044715


def fuse_gelu(rewriter: Rewriter) -> int:
    """Rewrite every Gelu as one node; return how many there were."""
    if not any(node.op_type in ("Erf", "Tanh") for node in rewriter.ctx.nodes):
        return 0
    count = 0
    for last in [node for node in rewriter.ctx.nodes if node.op_type in ("Mul", "Div")]:
        close = _CLOSE_HALVES if last.output[0] in rewriter.halves else _CLOSE
        found, shape = _Pattern(rewriter, close).match(last.output[0]), rewriter.shapes.get(last.output[0])
        if found is not None and shape is not None and len(rewriter.shapes.get(found[0], ())) == len(shape):
            x, op = found
            start = len(rewriter.ctx.nodes)
            rewriter.ctx.begin(rewriter.ctx.origins[last.name])
            rewriter.ctx.node(op, [x], domain=CONTRIB)
            rewriter.replace([last], last, start)
            count += 1
    return count


@dataclass(frozen=True)
class _Pattern:
    rewriter: Rewriter
    close: float

    def match(self, value: str) -> tuple[str, str] | None:
        """Return x and the op type, if a value is `x * (1 + f(x)) / 2` with f one of the two functions."""
        found = product(self.rewriter, value)
        if found is None:
            return None
        sides, factor = found
        for x, gate in (sides, sides[::-1]):
            term = affine(self.rewriter, gate)
            maker = self.rewriter.maker(term.value, "Erf", "Tanh")
            if maker is None or not self._is(factor * term.shift, 0.5):
                continue
            if maker.op_type == "Erf":
                inner, k = scaled(self.rewriter, maker.input[0])
                if (
                    inner == x
                    and self._is(factor * term.factor * math.copysign(1, k), 0.5)
                    and self._is(abs(k), math.sqrt(0.5))
                ):
                    return x, "Gelu"
            elif self._is(factor * term.factor, 0.5) and self._is_cubic(maker.input[0], x):
                return x, "FastGelu"
        return None

    def _is_cubic(self, value: str, x: str) -> bool:
        """Tell whether a value is `sqrt(2 / pi) * (x + 0.044715 * x ** 3)`."""
        total, k = scaled(self.rewriter, value)
        add = self.rewriter.maker(total, "Add")
        if add is None or not self._is(k, math.sqrt(2 / math.pi)):
            return False
        for one, other in operands(add):
            cube, coefficient = scaled(self.rewriter, other)
            if one == x and self._is(coefficient, _CUBE) and _is_power(self.rewriter, cube, x):
                return True
        return False

    def _is(self, number: float, wanted: float) -> bool:
        return abs(number - wanted) <= self.close * abs(wanted)


def _is_power(rewriter: Rewriter, value: str, x: str) -> bool:
    power = rewriter.maker(value, "Pow")
    if power is not None:
        return bool(power.input[0] == x and rewriter.scalar(power.input[1]) == 3)
    cube = rewriter.maker(value, "Mul")
    if cube is None:
        return False
    for one, other in operands(cube):
        square = rewriter.maker(other, "Mul", "Pow")
        if one != x or square is None:
            continue
        if square.op_type == "Mul" and set(square.input) == {x}:
            return True
        if square.op_type == "Pow" and square.input[0] == x and rewriter.scalar(square.input[1]) == 2:
            return True
    return False
