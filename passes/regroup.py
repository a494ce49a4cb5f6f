"""regroup: tag nodes and form clusters anew, after a pass has rewritten nodes inside of clusters."""

from __future__ import annotations

from tfgraft.graph.graph import Graph
from tfgraft.passes.base import PassContext
from tfgraft.passes.form_clusters import FormClusters
from tfgraft.passes.tag_support import TagSupport

PRECISION = "precision"
"""The key in `PassContext.results`: what a node computes in, "FP32", "FP16", "BF16" or "INT8", by (function, node)."""


def regroup(graph: Graph, ctx: PassContext, tagging: TagSupport, forming: FormClusters) -> None:
    """Note the facts `TAG`, `CLUSTER` and `LEFT_OUT` anew, and the clusters in `ctx.results["clusters"]`.

    New nodes must have the fact `TENSORS`, and changed function bodies must have been written back. What the passes say
    of the options again (such as a denylist's entry that matches nothing) is left out: it has been said.

    Args:
        graph: a main graph.
        tagging, forming: the passes of the pipeline that formed the clusters first.
    """
    said = len(ctx.diagnostics)
    tagging.run(graph, ctx)
    forming.run(graph, ctx)
    del ctx.diagnostics[said:]
