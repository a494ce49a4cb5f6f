"""Attention of several heads: `softmax(q k^T * scale) v`, with the heads brought in front and back, as one node.

ONNX Runtime's kernel goes through the scores block by block and never writes them out. It takes queries, keys and
values with their heads side by side, as the products that make them leave them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfgraft.converters.onnx.context import CONTRIB
from tfgraft.converters.onnx.fusions.rewriter import Rewriter
from tfgraft.converters.onnx.fusions.terms import scaled

_HEADS_FIRST = (0, 2, 1, 3)
_TRANSPOSED = (0, 2, 3, 1)


@dataclass(frozen=True)
class _Attention:
    """Attention of queries, keys and values, each (batch, positions, heads, size), to a result of the same form.

    Args:
        heads: how many there are.
        sizes: of each head of queries and keys, and of values.
        last: the node whose output the result is.
    """

    queries: str
    keys: str
    values: str
    scale: float
    heads: int
    sizes: tuple[int, int]
    last: Any


def fuse_attention(rewriter: Rewriter) -> int:
    """Rewrite every attention without a mask as one node; return how many there were.

    In float16 the softmax alone may be in float32, as the node's kernels compute it too.
    """
    count = 0
    for softmax in [node for node in rewriter.ctx.nodes if node.op_type == "Softmax"]:
        found = _match(rewriter, softmax)
        if found is not None:
            _rewrite(rewriter, found)
            count += 1
    return count


def _match(rewriter: Rewriter, softmax: Any) -> _Attention | None:
    shape = rewriter.shapes.get(softmax.output[0])
    axis = next((a.i for a in softmax.attribute if a.name == "axis"), -1)
    if shape is None or len(shape) != 4 or axis not in (-1, 3):
        return None
    shares, before = _without_casts(rewriter, softmax)
    weighted = rewriter.only_reader(shares)
    if weighted is None or weighted.op_type != "MatMul" or weighted.input[0] != shares:
        return None
    last = rewriter.only_reader(weighted.output[0])
    scores, scale = scaled(rewriter, before)
    product = rewriter.maker(scores, "MatMul")
    if product is None or last is None or last.op_type != "Transpose" or _perm(last) != _HEADS_FIRST:
        return None
    queries, by = _ordered(rewriter, product.input[0], _HEADS_FIRST)
    keys, by_too = _ordered(rewriter, product.input[1], _TRANSPOSED)
    values, by_last = _ordered(rewriter, weighted.input[1], _HEADS_FIRST)
    if queries is None or keys is None or values is None or by_last != 1:
        return None
    q, k, v = (rewriter.shapes.get(name, ()) for name in (queries, keys, values))
    if not len(q) == len(k) == len(v) == 4 or -1 in (q[0], k[0], v[0]) or not q[0] == k[0] == v[0]:
        return None
    if not q[2] == k[2] == v[2] > 0 or not q[3] == k[3] > 0 or v[3] <= 0 or not scale * by * by_too:
        return None
    return _Attention(queries, keys, values, scale * by * by_too, q[2], (q[3], v[3]), last)


def _without_casts(rewriter: Rewriter, softmax: Any) -> tuple[str, str]:
    """Return the result of a softmax and what it is of, both as float16 where it is computed between casts."""
    widen = rewriter.maker(softmax.input[0], "Cast")
    narrow = rewriter.only_reader(softmax.output[0])
    if widen is None or narrow is None or narrow.op_type != "Cast":
        return softmax.output[0], softmax.input[0]
    if widen.input[0] not in rewriter.halves or narrow.output[0] not in rewriter.halves:
        return softmax.output[0], softmax.input[0]
    return narrow.output[0], widen.input[0]


def _ordered(rewriter: Rewriter, value: str, perm: tuple[int, ...]) -> tuple[str | None, float]:
    """Return the value of which another one is a Transpose by `perm`, and the number that it is multiplied with.

    Integers are left to their kernels.
    """
    order, factor = tuple(range(4)), 1.0
    while True:
        value, number = scaled(rewriter, value)
        factor *= number
        if rewriter.maker(value, "DequantizeLinear") is not None:
            return None, 1.0
        if order == perm:
            return value, factor
        node = rewriter.maker(value, "Transpose")
        before = _perm(node) if node is not None else ()
        if node is None or len(before) != 4:
            return None, 1.0
        value, order = node.input[0], tuple(before[d] for d in order)


def _perm(node: Any) -> tuple[int, ...]:
    return next((tuple(a.ints) for a in node.attribute if a.name == "perm"), ())


def _rewrite(rewriter: Rewriter, found: _Attention) -> None:
    ctx = rewriter.ctx
    start = len(ctx.nodes)
    ctx.begin(ctx.origins[found.last.name])
    key_size, size = found.sizes
    flat = [
        ctx.node("Reshape", [x, ctx.ints([0, 0, found.heads * width])])
        for x, width in ((found.queries, key_size), (found.keys, key_size), (found.values, size))
    ]
    result = ctx.node("MultiHeadAttention", flat, domain=CONTRIB, num_heads=found.heads, scale=found.scale)
    ctx.node("Reshape", [result, ctx.ints([0, 0, found.heads, size])])
    rewriter.replace([found.last], found.last, start)
