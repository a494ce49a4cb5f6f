"""Changes of type."""

from __future__ import annotations

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.graph.dtypes import PLAIN
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter


@converter(
    "Cast",
    engine="onnx",
    spec=OpSpec(dtypes=PLAIN, attrs={"Truncate": (False,)}),
    notes="A float outside an integer type's range, or NaN, gives no defined integer, in TensorFlow too.",
)
def cast(ctx: OnnxContext, view: NodeView) -> None:
    """TF Cast -> Cast: floats are truncated to integers, integers wrap, what is not zero is True."""
    perm = ctx.perm_of(view, 0)
    value = ctx.get(view, 0, perm)
    source, to = view.dtype(), view.outputs[0].dtype
    if source == to:
        ctx.set(view, 0, value, perm)
    elif view.inputs[0].is_constant and (view.shape(0) or ()) == ():
        ctx.set(view, 0, ctx.const(view.known_const(0).astype(to)))
    else:
        ctx.set(view, 0, ctx.cast(value, to), perm)


CONVERTERS = (cast,)
