"""How an engine's output shapes follow from those of its inputs, so that outputs can be allocated before it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.protocol import Array, Outputs

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


class EmptyInput(ValueError):
    """An engine is not to be run on these inputs: one has no elements, and an output has some."""


def allocate_empty(rule: ShapeRule | None, inputs: Sequence[Array], outputs: Outputs) -> None:
    """Allocate the outputs of a call whose inputs have no elements, where the outputs have none either.

    For engines that leave undefined what becomes of nothing, as in a sum over no elements.

    Raises:
        EmptyInput: an output has elements, or it is not known whether it has.
    """
    shapes = None if rule is None else rule(inputs)
    if shapes is None or not all(0 in shape for shape in shapes):
        raise EmptyInput("an input has no elements, of which the engine gives no defined result")
    for i, shape in enumerate(shapes):
        outputs.allocate(i, shape)
