"""How an engine's output shapes follow from those of its inputs, so that outputs can be allocated before it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.protocol import Array

Dims = tuple[int, ...]
ShapeRule = Callable[[Sequence[Array]], tuple[Dims, ...]]


def shape_rule(inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> ShapeRule | None:
    """Return how to compute the outputs' shapes from the inputs, or None if they do not follow from their shapes.

    A dimension follows if it is known, or known to be equal to a dimension of an input (see `view.Shape`).
    """
    where: dict[int, tuple[int, int]] = {}
    for i, info in enumerate(inputs):
        for axis, dim in enumerate(info.shape or ()):
            if dim < -1:
                where.setdefault(dim, (i, axis))
    for info in outputs:
        if info.shape is None or any(d < 0 and d not in where for d in info.shape):
            return None
    plans = [tuple((d, where.get(d)) for d in info.shape or ()) for info in outputs]
    if all(source is None for plan in plans for _, source in plan):
        fixed = tuple(tuple(d for d, _ in plan) for plan in plans)
        return lambda arrays: fixed
    return lambda arrays: tuple(
        tuple(d if source is None else arrays[source[0]].shape[source[1]] for d, source in plan) for plan in plans
    )
