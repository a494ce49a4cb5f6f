"""When batch normalization is inference."""

from __future__ import annotations

from tfgraft.graph.view import NodeView
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def check_batch_norm(view: NodeView) -> Support:
    """Refuse batch normalization that learns; code attribute."""
    if view.attr("is_training", True):
        return Unsupported(
            "attribute",
            f"{view.op} is taken with is_training False, not True.",
            "attr is_training",
            "Freeze the model.",
        )
    return SUPPORTED
