"""fold_shapes: what a graph reads off shapes that are known becomes a constant.

Grappler takes every Placeholder for one that may be fed in any shape, so it does not fold what is computed from the
shape of one, though the model, or its user, has fixed it: the zeros that an LSTM starts from, for example, whose shape
then keeps an engine from taking the loop.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import PASS_THROUGH, const_node, tensor_info
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.contexts import contexts
from tfgraft.passes.free_constants import FreeConstants
from tfgraft.passes.grappler import Grappler
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.passes.prune import Prune
from tfgraft.passes.symbolic import symbolic

_SIZES = frozenset({"Shape", "Size", "Rank"})
_PICKS = frozenset({"StridedSlice", "GatherV2"})
"""Ops that take some sizes out of a shape, of which the others may not be known."""


@dataclass(frozen=True)
class FoldShapes:
    """Folds Shape, Size and Rank of tensors of known shape, and known sizes taken out of a Shape.

    What is computed from those is left to Grappler's constant folding. Shapes must have been inferred; they are
    inferred anew if anything changed. Nodes in TensorFlow 1 branches and loops stay.
    """

    name: ClassVar[str] = "fold_shapes"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Fold, in function bodies too, as long as that makes more shapes known."""
        count = 0
        while folded := self._fold(graph, ctx):
            count += folded
            settle(graph, ctx)
        return PassResult(count > 0, f"folded {count} nodes")

    def _fold(self, graph: Graph, ctx: PassContext) -> int:
        return ctx.rewrite(graph, _fold)


def settle(graph: Graph, ctx: PassContext) -> None:
    """Fold what follows from new constants, drop what nothing needs any more, and infer shapes anew."""
    for after in (Grappler(("constfold",)), FreeConstants(), Prune(), InferShapes()):
        after.run(graph, ctx)


def _fold(graph: Graph) -> int:
    shapes = [node for node in graph if node.op in _SIZES]
    if not shapes:
        return 0
    where = contexts(graph, graph.topological())
    found: dict[str, NDArray[Any]] = {}
    for node in shapes:
        value = _known(graph, node.name, where)
        if value is not None:
            found[node.name] = value
        elif node.op == "Shape":
            for reader in _picks(graph, node.name):
                value = _known(graph, reader, where)
                if value is not None:
                    found[reader] = value
    with graph.edit() as edit:
        for name, value in found.items():
            edit.replace(const_node(name, value))
            edit.set_inputs(name, (), (*graph.control_inputs(name), *_to_wait_for(graph, name)))
    return len(found)


def _to_wait_for(graph: Graph, name: str) -> list[str]:
    """Return what a folded node must wait for: what it took the size of, if nothing else reads that.

    It may have effects, which would be pruned with it. Where others read it too, to wait for it would only part them.
    """
    while True:
        before = graph.inputs(name)[0].node
        if graph.node(name).op in _SIZES:
            readers = (graph.node(reader).op for reader, _, _ in graph.consumers(before))
            return [] if any(op not in _SIZES for op in readers) else [before]
        name = before


def _picks(graph: Graph, shape: str) -> list[str]:
    """Return the nodes that take sizes out of a shape."""
    found, pending = [], [shape]
    while pending:
        for reader, slot, _ in graph.consumers(pending.pop()):
            op = graph.node(reader).op
            if op in PASS_THROUGH:
                pending.append(reader)
            elif op in _PICKS and slot == 0:
                found.append(reader)
    return found


def _known(graph: Graph, name: str, where: Container[str]) -> NDArray[Any] | None:
    """Return the value of a node if it is known and may be folded."""
    if name in where or name in graph.fed:
        return None
    node, ref = graph.node(name), TensorRef(name)
    info = tensor_info(graph, graph.inputs(name)[0])
    dtype = np.dtype(tensor_info(graph, ref).dtype)
    if node.op in ("Rank", "Size"):
        if info.dtype == "variant" or info.rank is None or (node.op == "Size" and not info.is_static):
            return None
        return np.asarray(info.rank if node.op == "Rank" else np.prod(info.shape or (), dtype=np.int64), dtype)
    sizes = symbolic(graph, ref)
    if sizes is None or any(size.atoms for size in sizes.flat):
        return None
    return np.asarray([size.constant for size in sizes.flat], dtype).reshape(sizes.shape)
