"""Running a session on buffers of its own, bound once: the least that a call of a small engine can cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgraft.plugins.protocol import Array
from tfgraft.plugins.staging import HostStage, Staging


class Staged:
    """A session's call for inputs of some shapes; one thread uses it at a time.

    The caller fills `inputs`, calls `run(bound, None)`, and copies from `outputs`; it does so itself, because each of
    Python's frames costs as much as a copy.

    Binding the caller's buffers, or making arrays of results, takes ONNX Runtime longer than copying a few kilobytes.

    Args:
        session: the `InferenceSession`.
        inputs: its inputs' names.
        outputs: its outputs' names.
        examples: arrays of the types and shapes of the inputs.
        results: the same of the outputs, which must follow from the inputs' shapes.
    """

    def __init__(
        self,
        session: Any,
        inputs: Sequence[str],
        outputs: Sequence[str],
        examples: Sequence[Array],
        results: Sequence[Array],
    ) -> None:
        self.inputs = [np.empty(array.shape, array.dtype) for array in examples]
        self.outputs = [np.empty(array.shape, array.dtype) for array in results]
        self._binding = session.io_binding()
        for name, own in zip(inputs, self.inputs, strict=True):
            self._binding.bind_input(name, "cpu", 0, own.dtype, own.shape, own.ctypes.data)
        for name, own in zip(outputs, self.outputs, strict=True):
            self._binding.bind_output(name, "cpu", 0, own.dtype, own.shape, own.ctypes.data)
        # The public wrappers' frames cost as much as the copies.
        self.run = getattr(session, "_sess", session).run_with_iobinding
        self.bound = getattr(self._binding, "_iobinding", self._binding)

    def offer(self, runtime: Staging) -> None:
        """Have a runtime use these buffers; nobody else may then."""
        runtime.stage(
            self,
            HostStage(self.run, (self.bound, None)),
            [(own.ctypes.data, own.nbytes) for own in self.inputs],
            [(own.ctypes.data, own.nbytes) for own in self.outputs],
        )
