"""A CUDA graph of a session's kernels, with the buffers that it reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from tfgraft.plugins.protocol import DeviceArray, DeviceStage, Staging

NOT_CAPTURED = "-1"
"""ONNX Runtime's number of no graph."""


class DeviceMemory(Protocol):
    """What is needed of the CUDA driver; see `tfgraft.runtime.cuda.Cuda`."""

    def synchronize(self) -> None:
        """Wait for all work in the context."""
        ...

    def copy(self, target: int, source: int, nbytes: int, stream: int) -> None:
        """Queue a copy within the device's memory."""
        ...

    def wait(self, stream: int) -> None:
        """Wait for all work on a stream."""
        ...

    def entry_points(self) -> tuple[int, int, int]:
        """Return the addresses of the functions behind `synchronize`, `copy` and `wait`, for callers in C."""
        ...


@dataclass(frozen=True)
class Lane:
    """Where a session works.

    Args:
        memory: the device's memory.
        stream: the stream of it that the session uses.
        kind: ONNX Runtime's name of the device.
        ordinal: its number.
    """

    memory: DeviceMemory
    stream: int
    kind: str = "cuda"
    ordinal: int = 0


@dataclass(frozen=True)
class Port:
    """An input or output of a session: its name and ONNX's number of its type."""

    name: str
    type: int


class Captured:
    """A session's call for inputs of some shapes, on buffers of its own; one thread uses it at a time.

    ONNX Runtime captures the kernels when it first runs with the options' graph number, and launches what it has
    captured from then on.

    Args:
        session: the `InferenceSession`.
        options: its `RunOptions`, with the number of a graph that is not in use.
        inputs: the inputs, with tensors of the same shapes.
        outputs: the outputs, likewise; their shapes must follow from those of the inputs.
        lane: where the session works.

    Attributes:
        shapes: those of the outputs.
    """

    def __init__(
        self,
        session: Any,
        options: Any,
        inputs: Sequence[tuple[Port, DeviceArray]],
        outputs: Sequence[tuple[Port, DeviceArray]],
        lane: Lane,
    ) -> None:
        self._options, self._lane = options, lane
        binding = session.io_binding()
        sources, made = _buffers(inputs, lane), _buffers(outputs, lane)
        for (port, _), value in zip(inputs, sources, strict=True):
            binding.bind_ortvalue_input(port.name, value)
        for (port, _), value in zip(outputs, made, strict=True):
            binding.bind_ortvalue_output(port.name, value)
        self.shapes = [array.shape for _, array in outputs]
        self._sources = [(value.data_ptr(), array.nbytes) for value, (_, array) in zip(sources, inputs, strict=True)]
        self._results = [(value.data_ptr(), array.nbytes) for value, (_, array) in zip(made, outputs, strict=True)]
        # The public wrappers' frames cost as much as the copies.
        self._run = getattr(session, "_sess", session).run_with_iobinding
        self._bound = getattr(binding, "_iobinding", binding)
        self._keep = (session, binding, sources, made)

    def run(self, inputs: Sequence[DeviceArray], results: Sequence[DeviceArray]) -> None:
        """Copy the inputs, run, copy the results, wait: all on one stream."""
        memory, stream = self._lane.memory, self._lane.stream
        for (own, nbytes), array in zip(self._sources, inputs, strict=True):
            memory.copy(own, array.address, nbytes, stream)
        self._run(self._bound, self._options)
        for (own, nbytes), array in zip(self._results, results, strict=True):
            memory.copy(array.address, own, nbytes, stream)
        memory.wait(stream)

    def offer(self, runtime: Staging, lock: AbstractContextManager[Any]) -> None:
        """Have the runtime make such calls by itself; `lock` keeps the session to one of them at a time."""
        device = DeviceStage(lock, *self._lane.memory.entry_points(), self._lane.stream)
        runtime.stage(self._keep, self._run, (self._bound, self._options), self._sources, self._results, device)


def _buffers(tensors: Sequence[tuple[Port, DeviceArray]], lane: Lane) -> list[Any]:
    from onnxruntime import OrtValue

    return [
        OrtValue.ortvalue_from_shape_and_type(list(array.shape), port.type, lane.kind, lane.ordinal)
        for port, array in tensors
    ]
