"""Tensor lists around a loop that was outlined with them: what the loop reads is a tensor, and so is what it wrote.

These entries are not the registry's: outside of such a function a tensor list cannot go into an engine, or out of it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tfgraft.converters.tensorrt.bodies import source
from tfgraft.converters.tensorrt.context import PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.dims import elements
from tfgraft.converters.tensorrt.emit import reshape
from tfgraft.converters.tensorrt.while_loop import LIST, Reserved, While, check_while, convert_while
from tfgraft.graph.functions import LOOPS
from tfgraft.graph.graph import Graph
from tfgraft.graph.view import NodeView
from tfgraft.graph.views import node_view
from tfgraft.registry.entry import Converter, OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_ANY = OpSpec(dtypes=PLAIN | {LIST})


@converter("TensorListFromTensor", engine="tensorrt", spec=replace(_ANY, known_ranks=(0,)))
def _from_tensor(ctx: TensorRtContext, view: NodeView) -> None:
    ctx.set(view, 0, ctx.get(view, 0))


@converter("TensorListStack", engine="tensorrt", spec=_ANY)
def _stack(ctx: TensorRtContext, view: NodeView) -> None:
    ctx.set(view, 0, ctx.get(view, 0))


@converter("TensorListReserve", engine="tensorrt", spec=_ANY)
def _reserve(ctx: TensorRtContext, view: NodeView) -> None:
    size = view.const(1)
    dim = elements(ctx, reshape(ctx, ctx.get(view, 1), (1,)), 1)[0] if size is None else int(size)
    ctx.set(view, 0, Reserved(dim, view.inputs[1].ref))


def _inside(op: str) -> Converter:
    """Return an entry for the check of a loop's body; the loop itself converts these."""
    return Converter(op, "tensorrt", convert_while, _ANY, source=__name__)


_INSIDE = {op: _inside(op) for op in ("TensorListGetItem", "TensorListSetItem")}
_LOOP = Converter("While", "tensorrt", convert_while, _ANY, partial(check_while, own=_INSIDE), source=__name__)

_TENSOR = frozenset({"TensorListFromTensor"})
_EMPTY = frozenset({"TensorListReserve"})

SEQUENCES = {
    **{entry.op: entry for entries in (_from_tensor, _stack, _reserve) for entry in entries},
    **dict.fromkeys(LOOPS, _LOOP),
}
"""Entries, by op, for the nodes of a function that a node calls."""


def check_lists(body: Graph) -> Support:
    """Say whether each list of a body comes from where its reader can take it."""
    for node in body:
        loop = While.of(node_view(body, node.name)) if node.op in LOOPS else None
        if loop is not None:
            wanted = {k: _TENSOR if loop.is_fixed(k) else _EMPTY for k in loop.variables if loop.is_list(k)}
        else:
            wanted = {0: _TENSOR | LOOPS} if node.op == "TensorListStack" else {}
        for k, makers in wanted.items():
            maker = body.node(source(body, body.inputs(node.name)[k]).node).op
            if maker not in makers:
                return Unsupported("control-flow", f"{node.name} has a tensor list made by {maker}.", f"input {k}")
    return SUPPORTED
