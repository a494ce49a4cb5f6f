"""Changes of type."""

from __future__ import annotations

from typing import Any

from tfgraft.converters.tensorrt.context import PLAIN, SMALL, TensorRtContext, carrier
from tfgraft.converters.tensorrt.emit import binary, like
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter


@converter(
    "Cast",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, attrs={"Truncate": (False,)}),
    notes="A float outside an integer type's range, or NaN, gives no defined integer, in TensorFlow too.",
)
def cast(ctx: TensorRtContext, view: NodeView) -> None:
    """TF Cast -> cast: floats are truncated to integers, integers wrap, what is not zero is True."""
    perm, to = ctx.perm_of(view, 0), view.outputs[0].dtype
    value = ctx.get(view, 0, perm)
    if to in SMALL and view.dtype() not in (to, "bool"):
        value = _wrapped(ctx, value if view.dtype() == "int64" else ctx.cast(value, "int32"), to)
    ctx.set(view, 0, ctx.cast(value, carrier(to)), perm)


def _wrapped(ctx: TensorRtContext, value: Any, to: str) -> Any:
    """Emit an integer's low eight bits, by arithmetic: x - 256 floor((x - least) / 256)."""
    size = like(ctx, value, 256)
    above = value if to == "uint8" else binary(ctx, "SUM", value, like(ctx, value, 128))
    turns = binary(ctx, "FLOOR_DIV", above, size)
    return binary(ctx, "SUB", value, binary(ctx, "PROD", turns, size))


CONVERTERS = (cast,)
