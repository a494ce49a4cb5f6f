"""When Equal and NotEqual are elementwise: TensorFlow lets them give a single value for shapes that do not fit."""

from __future__ import annotations

from tfgraft.graph.view import NodeView, Shape
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def _broadcast(a: Shape, b: Shape) -> bool:
    """Tell whether two shapes are known to broadcast against each other."""
    if a is None or b is None:
        return False
    return all(1 in (x, y) or (x == y and x != -1) for x, y in zip(a[::-1], b[::-1], strict=False))


def check_equal(view: NodeView) -> Support:
    if view.attr("incompatible_shape_error", True) or _broadcast(view.shape(0), view.shape(1)):
        return SUPPORTED
    return Unsupported(
        "attribute",
        f"{view.op} may give a single False for shapes that do not fit, and these are not known to fit.",
        "attr incompatible_shape_error",
        "Give input_shapes.",
    )
