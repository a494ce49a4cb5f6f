"""Products of tensors of more than two dimensions with a matrix of weights, without Reshapes around them.

TensorFlow's Tensordot, and so Keras's Dense, makes a matrix of a tensor, multiplies, and shapes the result as the
tensor was, with sizes that it reads from it. ONNX's MatMul takes the tensor as it is, and then what stands behind it is
next to it, where ONNX Runtime fuses it.
"""

from __future__ import annotations

from typing import Any

from tfgraft.converters.onnx.fusions.rewriter import Rewriter


def fuse_dense(rewriter: Rewriter) -> int:
    """Rewrite every Reshape, MatMul, Reshape that is a product of the last dimension; return how many there were."""
    count = 0
    for last in [node for node in rewriter.ctx.nodes if node.op_type == "Reshape"]:
        found = _match(rewriter, last)
        if found is not None:
            start = len(rewriter.ctx.nodes)
            rewriter.ctx.begin(rewriter.ctx.origins[last.name])
            x, cast, weights = found
            if cast is not None:
                x = rewriter.ctx.node("Cast", [x], to=cast.attribute[0].i)
            rewriter.ctx.node("MatMul", [x, weights])
            rewriter.replace([last], last, start)
            count += 1
    return count


def _match(rewriter: Rewriter, last: Any) -> tuple[str, Any, str] | None:
    """Return the tensor, the Cast that it goes through if any, and the weights whose product a Reshape gives."""
    product = rewriter.maker(last.input[0], "MatMul")
    cast = rewriter.maker(product.input[0], "Cast") if product is not None else None
    between = cast.input[0] if cast is not None else product.input[0] if product is not None else ""
    rows = rewriter.maker(between, "Reshape")
    if product is None or rows is None or not rewriter.is_constant(product.input[1]):
        return None
    weights = rewriter.dims(product.input[1]) or ()
    matrix, x, result = (rewriter.shapes.get(name) for name in (rows.output[0], rows.input[0], last.output[0]))
    if matrix is None or x is None or result is None or len(matrix) != 2 or len(weights) != 2:
        return None
    if not x or x[-1] != weights[0] or result[-1:] != weights[1:] or -1 in (*x, *result):
        return None
    return (rows.input[0], cast, product.input[1]) if x[:-1] == result[:-1] else None
