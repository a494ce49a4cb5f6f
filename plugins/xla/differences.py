"""Where XLA's kernels compute something else than TensorFlow's; found by running both on many sizes and values."""

from __future__ import annotations

import math

from tfgraft.graph.node import Node
from tfgraft.graph.view import NodeView
from tfgraft.registry.support import Unsupported


def wrong_result(node: Node, view: NodeView | None = None) -> Unsupported | None:
    """Return why XLA's result for a node may differ from TensorFlow's, or None.

    `view` tells shapes and constants, where they are known; inside of functions they are not.
    """
    reason = ""
    if node.op == "NonMaxSuppressionV4":
        reason = "fills up its result with other boxes than TensorFlow's"
    elif node.op == "ClipByValue":
        reason = "gives the upper bound where the bounds are crossed, and TensorFlow the lower"
    elif node.op.startswith("FakeQuantWithMinMaxVars") and not _has_width(view):
        reason = "gives NaN where a range is empty, which is ruled out only for constant ranges"
    elif node.op == "ResizeBilinear" and node.attrs.get("half_pixel_centers") is True and not _is_exact(view):
        reason = (
            "with half_pixel_centers takes a wrong pixel where rounding moves one across another, which is ruled out "
            "only for known sizes of which one is the other's multiple by a power of two"
        )
    return Unsupported("wrong-result", f"XLA's {node.op} {reason}.", node.op) if reason else None


def _is_exact(view: NodeView | None) -> bool:
    """Tell whether the scales of a resize are powers of two times whole numbers, so that nothing is rounded."""
    image = None if view is None else view.shape(0)
    size = None if view is None else view.const(1)
    if image is None or size is None:
        return False
    pairs = zip(image[1:3], size.tolist(), strict=True)
    return all(i > 0 and o > 0 and _is_power_of_two(o // math.gcd(i, o)) for i, o in pairs)


def _has_width(view: NodeView | None) -> bool:
    """Tell whether the ranges of a FakeQuant op are known, and none is empty."""
    low, high = (None, None) if view is None else (view.const(1), view.const(2))
    return low is not None and high is not None and bool((low < high).all())


def _is_power_of_two(n: int) -> bool:
    return n & (n - 1) == 0
