"""unroll_loops: the body of a loop that runs once, in the loop's place.

`tf.map_fn` over a batch of one, as detectors have it around their non-maximum suppression, is a loop that no engine
takes, and parts the nodes before it from those after it. Without the loop they are nodes like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tfgraft.graph.graph import Graph
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.fold_arrays import fold_arrays
from tfgraft.passes.fold_shapes import FoldShapes, settle
from tfgraft.passes.last_outputs import fold_last_outputs
from tfgraft.passes.unroll_frames import unroll_frames
from tfgraft.passes.unroll_while import unroll_while


@dataclass(frozen=True)
class UnrollLoops:
    """Unrolls loops that count to a constant in one step, and the arrays of tensors that they read and write.

    Of other loops the last output is read as the state that it is, where a list keeps it alone.

    Shapes must have been inferred; they are inferred anew if anything changed.
    """

    name: ClassVar[str] = "unroll_loops"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Unroll, in function bodies too, until no more loop is known to run once."""
        loops = 0
        while found := self._unroll(graph, ctx):
            loops += found
        lists = ctx.rewrite(graph, fold_last_outputs)
        if lists:
            settle(graph, ctx)
        read = f", read {lists} last outputs as states" if lists else ""
        return PassResult(loops + lists > 0, f"unrolled {loops} loops{read}")

    def _unroll(self, graph: Graph, ctx: PassContext) -> int:
        loops = ctx.rewrite(graph, lambda one: unroll_frames(one) + unroll_while(one))
        if loops:
            settle(graph, ctx)  # the counters are constants now
            ctx.rewrite(graph, fold_arrays)
            settle(graph, ctx)
            FoldShapes().run(graph, ctx)
        return loops
