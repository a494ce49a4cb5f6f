"""Softmax and its logarithm."""

from __future__ import annotations

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.graph.dtypes import FLOATS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter


@converter("Softmax", "LogSoftmax", engine="onnx", spec=OpSpec(dtypes=FLOATS))
def softmax(ctx: OnnxContext, view: NodeView) -> None:
    """TF Softmax, LogSoftmax (over the last dimension) -> the ONNX op of the same name."""
    perm = ctx.perm_of(view, 0)
    axis = -1 if perm is None else perm.index(len(perm) - 1)
    ctx.set(view, 0, ctx.node(view.op, [ctx.get(view, 0, perm)], axis=axis), perm)


CONVERTERS = (softmax,)
