"""Matrix products."""

from __future__ import annotations

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.orders import Perm
from tfgraft.graph.dtypes import FLOATS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_NATIVE = FLOATS | {"int32", "int64", "uint32", "uint64"}


@converter("MatMul", engine="onnx", spec=OpSpec(dtypes=_NATIVE))
def matmul(ctx: OnnxContext, view: NodeView) -> None:
    """TF MatMul -> MatMul; a transposed weight is transposed when it is loaded."""
    flags = (view.attr("transpose_a", False), view.attr("transpose_b", False))
    inputs = [ctx.get(view, i, (1, 0) if flag else None) for i, flag in enumerate(flags)]
    ctx.set(view, 0, ctx.node("MatMul", inputs))


def _check(view: NodeView) -> Support:
    for i, adjoint in enumerate(("adj_x", "adj_y")):
        if view.attr(adjoint, False) and view.rank(i) is None:
            return Unsupported("unknown-rank", f"{view.op} with {adjoint} needs the rank of input {i}.", f"input {i}")
    types = {view.dtype(0), view.dtype(1), view.outputs[0].dtype}
    if len(types) > 1:
        return Unsupported("dtype", f"{view.op} takes one type throughout, not several.", "attr Tout")
    return SUPPORTED


@converter("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", engine="onnx", spec=OpSpec(dtypes=_NATIVE), check=_check)
def batch_matmul(ctx: OnnxContext, view: NodeView) -> None:
    """TF BatchMatMul -> MatMul, which broadcasts the leading dimensions."""
    inputs = []
    for i, adjoint in enumerate(("adj_x", "adj_y")):
        inputs.append(ctx.get(view, i, _adjoint(view.known_rank(i)) if view.attr(adjoint, False) else None))
    ctx.set(view, 0, ctx.node("MatMul", inputs))


def _adjoint(rank: int) -> Perm:
    return (*range(rank - 2), rank - 1, rank - 2)


CONVERTERS = (matmul, batch_matmul)
