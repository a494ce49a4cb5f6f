"""Selection by a condition."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.tensorrt.context import BOOL, PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.emit import select, unsqueeze
from tfgraft.converters.tensorrt.layout import broadcast_inputs, elementwise
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import Support, Unsupported

_SPEC = OpSpec(dtypes=PLAIN, input_dtypes={0: BOOL}, known_ranks=(0, 1, 2))


@converter("SelectV2", engine="tensorrt", spec=_SPEC)
@elementwise
def select_v2(ctx: TensorRtContext, view: NodeView, inputs: list[Any]) -> Any:
    """TF SelectV2 -> select."""
    return select(ctx, *inputs)


@converter("Select", engine="tensorrt", spec=_SPEC)
def select_v1(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Select -> select. A condition of rank 1 chooses whole rows."""
    rank = view.known_rank(1)
    if view.known_rank(0) == 1 and rank > 1:
        (yes, no), perm = broadcast_inputs(ctx, view, (1, 2))
        row = perm.index(0) if perm else 0
        condition = unsqueeze(ctx, ctx.get(view, 0), [d for d in range(rank) if d != row])
    else:
        (condition, yes, no), perm = broadcast_inputs(ctx, view, (0, 1, 2))
    ctx.set(view, 0, select(ctx, condition, yes, no), perm)


def _check_never(view: NodeView) -> Support:
    return Unsupported(
        "unknown-dim",
        "How many places Where finds depends on the data. TensorRT's layer for that, NonZero, has no runners that "
        "implement it in TensorRT-RTX.",
        "output 0",
        "tf.where with three arguments is taken.",
    )


@converter(
    "Where",
    engine="tensorrt",
    check=_check_never,
    notes="Never taken: how many places it finds depends on the data. tf.where with three arguments is SelectV2.",
)
def where(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Where, which returns indices: refused in any case."""
    raise NotImplementedError(view.op)


CONVERTERS = (select_v2, select_v1, where)
