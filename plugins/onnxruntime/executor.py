"""Running an ONNX Runtime session on TensorFlow's buffers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.protocol import Array, Outputs

_IN_PLACE_BYTES = 32768
"""Outputs smaller than this together are copied: that is quicker than binding them."""

Dims = tuple[int, ...]
ShapeRule = Callable[[Sequence[Array]], tuple[Dims, ...]]


class OnnxRuntimeExecutor:
    """Runs a session; thread-safe.

    Where the outputs' shapes follow from those of the inputs, ONNX Runtime writes straight into TensorFlow's buffers;
    where they depend on values, or are small, its results are copied.
    """

    def __init__(self, session: Any, keep: Any, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> None:
        """`keep` is whatever must live as long as the session; types and shapes are those of the engine."""
        # The public wrapper looks at all names again in each call, which costs as much as a small model's run.
        self._session = getattr(session, "_sess", session)
        self._binding_of = session.io_binding
        self._run_bound = session.run_with_iobinding
        self._inputs = [i.name for i in session.get_inputs()]
        self._outputs = [o.name for o in session.get_outputs()]
        self._rule = shape_rule(inputs, outputs)
        self._local = threading.local()
        self._keep = (session, keep)

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """See `tfgraft.plugins.protocol.Executor`."""
        if self._rule is not None:
            shapes = self._rule(inputs)
            if _elements(shapes) * 4 >= _IN_PLACE_BYTES:
                self._run_in_place(inputs, shapes, outputs)
                return
        results = self._session.run(self._outputs, dict(zip(self._inputs, inputs, strict=True)), None)
        for i, result in enumerate(results):
            outputs.allocate(i, result.shape)[...] = result

    def _run_in_place(self, inputs: Sequence[Array], shapes: tuple[Dims, ...], outputs: Outputs) -> None:
        binding = getattr(self._local, "binding", None)
        if binding is None:
            binding = self._local.binding = self._binding_of()
        for name, array in zip(self._inputs, inputs, strict=True):
            binding.bind_input(name, "cpu", 0, array.dtype, array.shape, _address(array))
        for i, (name, shape) in enumerate(zip(self._outputs, shapes, strict=True)):
            out = outputs.allocate(i, shape)
            binding.bind_output(name, "cpu", 0, out.dtype, shape, _address(out))
        self._run_bound(binding)


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


def _elements(shapes: tuple[Dims, ...]) -> int:
    total = 0
    for shape in shapes:
        count = 1
        for dim in shape:
            count *= dim
        total += count
    return total


def _address(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
