"""Matrix products."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.tensorrt.context import FLOATS, INTS, NUMERIC, SMALL, TensorRtContext
from tfgraft.converters.tensorrt.emit import unsqueeze
from tfgraft.converters.tensorrt.products import check_integers, sum_of_products
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_SPEC = OpSpec(dtypes=NUMERIC, known_ranks=(0, 1))
_SPEC_V3 = OpSpec(dtypes=NUMERIC | SMALL, output_dtypes={0: NUMERIC}, known_ranks=(0, 1))
_NOTES = "Products of integers are multiplied one by one and summed, up to 2 ** 24 of them."
_LABELS = "abcdefghijklmnopqrstuvw"


def _transposed(view: NodeView, i: int) -> bool:
    return bool(view.attr(("transpose_a", "transpose_b")[i]) or view.attr(("adj_x", "adj_y")[i]))


def _labels(view: NodeView) -> tuple[list[str], str]:
    """Return a label for each dimension of both operands and of the result: rows y, columns z, summed x."""
    batches = [_LABELS[len(_LABELS) - view.known_rank(i) + 2 :] for i in (0, 1)]
    left, right = ("xy" if _transposed(view, 0) else "yx"), ("zx" if _transposed(view, 1) else "xz")
    return [batches[0] + left, batches[1] + right], max(batches, key=len) + "yz"


def _check(view: NodeView) -> Support:
    out = view.outputs[0].dtype
    types = {view.dtype(0), view.dtype(1)}
    if types != {out} and not ((types <= FLOATS and out == "float32") or (types <= SMALL and out == "int32")):
        return Unsupported(
            "dtype",
            f"{view.op} takes one type throughout, or floats with a float32 result, or bytes with an int32 result.",
            "attr Tout",
        )
    return check_integers(view, _labels(view)[0]) if out in INTS else SUPPORTED


@converter("MatMul", "BatchMatMul", "BatchMatMulV2", engine="tensorrt", spec=_SPEC, check=_check, notes=_NOTES)
def matmul(ctx: TensorRtContext, view: NodeView) -> None:
    """TF MatMul, BatchMatMul -> matrix multiplication, which transposes and broadcasts by itself."""
    _multiply(ctx, view)


@converter("BatchMatMulV3", engine="tensorrt", spec=_SPEC_V3, check=_check, notes=_NOTES)
def widening_matmul(ctx: TensorRtContext, view: NodeView) -> None:
    """TF BatchMatMulV3 -> the same, on operands cast to the type of the result."""
    _multiply(ctx, view)


def _multiply(ctx: TensorRtContext, view: NodeView) -> None:
    if view.outputs[0].dtype in INTS:
        labels, output = _labels(view)
        ctx.set(view, 0, sum_of_products(ctx, [ctx.get(view, i) for i in (0, 1)], labels, output))
        return
    rank = max(view.known_rank(0), view.known_rank(1))
    operands = [x for i in (0, 1) for x in _operand(ctx, view, i, rank)]
    ctx.set(view, 0, ctx.add("matrix_multiply", *operands))


def _operand(ctx: TensorRtContext, view: NodeView, i: int, rank: int) -> tuple[Any, Any]:
    """Return an operand at some rank, and how its matrices are to be read: as they are held, or transposed."""
    own = view.known_rank(i)
    swapped = (*range(own - 2), own - 1, own - 2)
    held = ctx.perm_of(view, i) == swapped
    operation = "TRANSPOSE" if _transposed(view, i) != held else "NONE"
    if ctx.is_made(view, i):
        tensor = ctx.shaped(view, i, None, (*(1,) * (rank - own), *(view.shape(i) or ())))
    else:
        tensor = ctx.cast(ctx.get(view, i, swapped if held else None), view.outputs[0].dtype)
        tensor = unsqueeze(ctx, tensor, range(rank - own))
    return tensor, getattr(ctx.trt.MatrixOperation, operation)


CONVERTERS = (matmul, widening_matmul)
