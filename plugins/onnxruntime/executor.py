"""Running an ONNX Runtime session on TensorFlow's buffers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.protocol import Array, Outputs
from tfgraft.plugins.shape_rule import Dims, shape_rule

_IN_PLACE_BYTES = 32768
"""Outputs smaller than this together are copied: that is quicker than binding them."""


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
