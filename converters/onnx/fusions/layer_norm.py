"""LayerNormalization: mean 0 and variance 1 over the last dimensions, as frameworks write it out.

Both ways to apply the moments are matched: `x * s + (shift - mean * s)`, as Keras does, and `(x - mean) / deviation`,
each with a scale and a shift or without. ONNX Runtime has one kernel for all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tfgraft.converters.onnx.fusions.rewriter import Rewriter
from tfgraft.converters.onnx.fusions.terms import affine, operands, scaled


@dataclass(frozen=True)
class _Norm:
    """`(x - mean) / sqrt(variance + epsilon) * scale + shift`; scale and shift are constants, "" for 1 and 0."""

    x: str
    mean: str
    axis: int
    epsilon: float
    scale: str = ""
    shift: str = ""


def fuse_layer_norm(rewriter: Rewriter) -> int:
    """Rewrite every layer normalization in float32 as one node; return how many there were."""
    variances = _variances(rewriter)
    if not variances:
        return 0
    deviations = _deviations(rewriter, variances)
    count, inside = 0, set[str]()
    for last in reversed(list(rewriter.ctx.nodes)):
        if last.op_type not in ("Add", "Sub", "Mul", "Div") or last.name in inside:
            continue
        found = _centered(rewriter, last, deviations) or _multiplied(rewriter, last, deviations)
        between = _between(rewriter, last.output[0], found.x) if found is not None else set()
        if found is not None and _rewrite(rewriter, last, found):
            inside.update(between)
            count += 1
    return count


def _variances(rewriter: Rewriter) -> dict[str, _Norm]:
    """Return what is normalized by each value that is a variance over the last dimensions."""
    found = {}
    for node in [node for node in rewriter.ctx.nodes if node.op_type == "ReduceMean"]:
        square = rewriter.maker(node.input[0], "Mul", "Pow")
        difference = _squared(rewriter, square) if square is not None else None
        if difference is None:
            continue
        for x, mean in operands(difference):
            maker = rewriter.maker(mean, "ReduceMean")
            axis = _axis(rewriter, node, x)
            if maker is not None and maker.input[0] == x and axis is not None and axis == _axis(rewriter, maker, x):
                found[node.output[0]] = _Norm(x, mean, axis, 0.0)
    return found


def _squared(rewriter: Rewriter, square: Any) -> Any | None:
    """Return the Sub whose result a node multiplies with itself, or with another one's of the same inputs."""
    if square.op_type == "Pow":
        return rewriter.maker(square.input[0], "Sub") if rewriter.scalar(square.input[1]) == 2 else None
    one, other = (rewriter.maker(name, "Sub") for name in square.input)
    return one if one is not None and other is not None and list(one.input) == list(other.input) else None


def _axis(rewriter: Rewriter, node: Any, x: str) -> int | None:
    """Return the first of the dimensions that a ReduceMean takes, if it takes all behind it too and keeps them."""
    shape = rewriter.shapes.get(x)
    axes = rewriter.array(node.input[1]) if len(node.input) > 1 else None
    kept = all(a.i for a in node.attribute if a.name == "keepdims")
    if shape is None or axes is None or not axes.size or not kept:
        return None
    taken = sorted(int(a) % len(shape) for a in axes.reshape(-1))
    return taken[0] if taken == list(range(taken[0], len(shape))) else None


def _deviations(rewriter: Rewriter, variances: dict[str, _Norm]) -> dict[str, tuple[_Norm, bool]]:
    """Return each value that is a standard deviation, and whether it is the inverse of one."""
    found: dict[str, tuple[_Norm, bool]] = {}
    for node in rewriter.ctx.nodes:
        if node.op_type == "Sqrt":
            term = affine(rewriter, node.input[0])
            if term.value in variances and term.factor == 1 and term.shift > 0:
                found[node.output[0]] = replace(variances[term.value], epsilon=term.shift), False
        elif node.op_type == "Reciprocal" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]][0], True
        elif node.op_type == "Div" and node.input[1] in found and rewriter.scalar(node.input[0]) == 1:
            found[node.output[0]] = found[node.input[1]][0], True
    return found


def _factor(rewriter: Rewriter, value: str, deviations: dict[str, tuple[_Norm, bool]]) -> _Norm | None:
    """Return what a value normalizes if it is one over a standard deviation, times a constant maybe."""
    norm, inverse = deviations.get(value, (None, False))
    if norm is not None:
        return norm if inverse else None
    product = rewriter.maker(value, "Mul")
    parts = rewriter.split(product) if product is not None else None
    norm, inverse = deviations.get(parts[0], (None, False)) if parts is not None else (None, False)
    return replace(norm, scale=parts[1]) if parts is not None and norm is not None and inverse else None


def _multiplied(rewriter: Rewriter, last: Any, deviations: dict[str, tuple[_Norm, bool]]) -> _Norm | None:
    """Match `x * s + (shift - mean * s)`, s being one over the deviation, times the scale."""
    if last.op_type not in ("Add", "Sub"):
        return None
    for one, other in operands(last) if last.op_type == "Add" else operands(last)[:1]:
        product = rewriter.maker(one, "Mul")
        for x, s in operands(product) if product is not None else ():
            norm = _factor(rewriter, s, deviations)
            if norm is not None and norm.x == x:
                sign = 1.0 if last.op_type == "Add" else -1.0
                shift = _minus_mean(rewriter, other, norm.mean, s, sign)
                return replace(norm, shift=shift) if shift is not None else None
    return None


def _minus_mean(rewriter: Rewriter, value: str, mean: str, s: str, sign: float) -> str | None:
    """Return the shift if a value, times `sign`, is `shift - mean * s`, or None."""
    if _is_mean(rewriter, value, mean, s, -sign):
        return ""
    node = rewriter.maker(value, "Add", "Sub")
    parts = rewriter.split(node) if node is not None and sign > 0 else None
    if node is None or parts is None or (node.op_type == "Sub" and node.input[1] != parts[0]):
        return None
    return parts[1] if _is_mean(rewriter, parts[0], mean, s, -1.0 if node.op_type == "Add" else 1.0) else None


def _is_mean(rewriter: Rewriter, value: str, mean: str, s: str, sign: float) -> bool:
    """Tell whether a value is `sign * mean * s`."""
    product = rewriter.maker(value, "Mul")
    return product is not None and any(
        other == s and scaled(rewriter, one) == (mean, sign) for one, other in operands(product)
    )


def _centered(rewriter: Rewriter, last: Any, deviations: dict[str, tuple[_Norm, bool]]) -> _Norm | None:
    """Match `(x - mean) * s + shift`, or with a division by the deviation, and a scale maybe before the shift."""
    shift = scale = ""
    node = last
    if node.op_type == "Add" and (parts := rewriter.split(node)) is not None:
        shift, node = parts[1], rewriter.maker(parts[0], "Mul", "Div")
    if node is not None and node.op_type == "Mul" and (parts := rewriter.split(node)) is not None:
        scale, node = parts[1], rewriter.maker(parts[0], "Mul", "Div")
    if node is None or node.op_type not in ("Mul", "Div"):
        return None
    for centered, s in operands(node) if node.op_type == "Mul" else operands(node)[:1]:
        norm = _factor(rewriter, s, deviations) if node.op_type == "Mul" else _divisor(s, deviations)
        difference = rewriter.maker(centered, "Sub")
        if norm is None or difference is None or list(difference.input) != [norm.x, norm.mean]:
            continue
        if not (scale and norm.scale):
            return replace(norm, scale=scale or norm.scale, shift=shift)
    return None


def _divisor(value: str, deviations: dict[str, tuple[_Norm, bool]]) -> _Norm | None:
    norm, inverse = deviations.get(value, (None, False))
    return None if inverse else norm


def _rewrite(rewriter: Rewriter, last: Any, norm: _Norm) -> bool:
    """Put a LayerNormalization in the place of `last`, if scale and shift are of what is normalized."""
    ctx, shape = rewriter.ctx, rewriter.shapes.get(norm.x)
    result = rewriter.shapes.get(last.output[0])
    if shape is None or result is None or len(result) != len(shape) or min(shape[norm.axis :]) < 1:
        return False
    wanted = shape[norm.axis :]
    given = [_fitted(rewriter, name, wanted) if name else "" for name in (norm.scale, norm.shift)]
    if None in given:
        return False
    start = len(ctx.nodes)
    ctx.begin(ctx.origins[last.name])
    inputs = [norm.x, given[0] or ctx.const(np.ones(wanted, np.float32)), *([given[1]] if given[1] else [])]
    ctx.node("LayerNormalization", inputs, axis=norm.axis, epsilon=norm.epsilon)
    rewriter.replace([last], last, start)
    return True


def _fitted(rewriter: Rewriter, name: str, wanted: tuple[int, ...]) -> str | None:
    """Return a constant in the shape of what is normalized, or None if it has another one."""
    dims = rewriter.dims(name)
    if dims is None or dims == wanted:
        return name if dims is not None else None
    if dims[max(len(dims) - len(wanted), 0) :] != wanted or any(d != 1 for d in dims[: len(dims) - len(wanted)]):
        array = rewriter.array(name)
        return rewriter.ctx.const(np.full(wanted, array, np.float32)) if array is not None and array.ndim == 0 else None
    array = rewriter.array(name)
    return None if array is None else rewriter.ctx.const(array.reshape(wanted))


def _between(rewriter: Rewriter, value: str, x: str) -> set[str]:
    """Return the names of the nodes that make a value of x."""
    found: set[str] = set()
    left = [value]
    while left:
        node = rewriter.maker(left.pop(), "Add", "Sub", "Mul", "Div")
        if node is not None and node.name not in found:
            found.add(node.name)
            left.extend(name for name in node.input if name != x)
    return found
