"""Data formats as values: vectors and dimension numbers mapped from one format's order to another's."""

from __future__ import annotations

import numpy as np

from tfgraft.converters.tensorrt.context import INTS, TensorRtContext
from tfgraft.converters.tensorrt.emit import binary, like
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def _formats(view: NodeView) -> tuple[str, str]:
    return str(view.attr("src_format", "NHWC")), str(view.attr("dst_format", "NCHW"))


def _check_length(view: NodeView) -> Support:
    if (view.shape(0) or (-1,))[0] < 0:
        return Unsupported("unknown-dim", "DataFormatVecPermute needs the length of its input.", "input 0")
    return SUPPORTED


@converter("DataFormatVecPermute", engine="tensorrt", spec=OpSpec(dtypes=INTS, ranks={0: (1, 2)}), check=_check_length)
def vec_permute(ctx: TensorRtContext, view: NodeView) -> None:
    """TF DataFormatVecPermute -> gather; of as many values as there are spatial dimensions, those."""
    source, target = _formats(view)
    count = (view.shape(0) or (0,))[0]
    if count == len(source) - 2:
        source, target = ("".join(c for c in text if c not in "NC") for text in (source, target))
    order = ctx.const(np.array([source.index(c) for c in target], np.int64))
    ctx.set(view, 0, ctx.add("gather", ctx.get(view, 0), order, 0))


@converter("DataFormatDimMap", engine="tensorrt", spec=OpSpec(dtypes=INTS, known_ranks=(0,)))
def dim_map(ctx: TensorRtContext, view: NodeView) -> None:
    """TF DataFormatDimMap -> gather from a table that begins at minus the number of dimensions."""
    source, target = _formats(view)
    count = len(source)
    table = ctx.const(np.array([target.index(source[k % count]) for k in range(-count, count)], view.dtype()))
    perm = ctx.perm_of(view, 0)
    value = ctx.get(view, 0, perm)
    ctx.set(view, 0, ctx.add("gather", table, binary(ctx, "SUM", value, like(ctx, value, count)), 0), perm)


CONVERTERS = (vec_permute, dim_map)
