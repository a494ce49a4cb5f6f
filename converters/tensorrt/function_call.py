"""Calls of functions: the function's nodes in place of the call."""

from __future__ import annotations

from tfgraft.converters.tensorrt.bodies import body_of, check_body, convert_body
from tfgraft.converters.tensorrt.context import PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.sequences import SEQUENCES, check_lists
from tfgraft.graph.graph import Graph
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import Support, Supported, Unsupported


def _body(view: NodeView) -> Graph:
    return body_of(view, "f", [item.info for item in view.inputs])


def _check(view: NodeView) -> Support:
    try:
        body = _body(view)
    except ValueError as error:
        return Unsupported("control-flow", f"{error}.", view.op)
    support = check_body(view, body, SEQUENCES)
    return check_lists(body) if isinstance(support, Supported) else support


@converter("PartitionedCall", "StatefulPartitionedCall", engine="tensorrt", spec=OpSpec(dtypes=PLAIN), check=_check)
def call(ctx: TensorRtContext, view: NodeView) -> None:
    """TF PartitionedCall, StatefulPartitionedCall -> the layers of the function's nodes."""
    arguments = [ctx.get(view, i) for i in range(len(view.inputs))]
    for port, result in enumerate(convert_body(ctx, _body(view), arguments, SEQUENCES)):
        ctx.set(view, port, result)


CONVERTERS = (call,)
