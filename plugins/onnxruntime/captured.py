"""A CUDA graph of a session's kernels, with the buffers that it reads and writes."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from tfgraft.plugins.protocol import DeviceArray
from tfgraft.plugins.staging import DeviceStage, Staging


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

    def capture(self, stream: int, queue: Callable[[], object]) -> int:
        """Return a graph of what a function queues on a stream, which is not done now; its errors are passed on."""
        ...

    def launch(self, graph: int, stream: int) -> None:
        """Queue a graph on a stream."""
        ...

    def delete_graph(self, graph: int) -> None:
        """Give a graph back."""
        ...

    def entry_points(self) -> tuple[int, int, int, int]:
        """Return the addresses of the functions behind `synchronize`, `copy`, `launch` and `wait`, for callers in C."""
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

    Its kernels are captured here and not by ONNX Runtime, whose `run` looks at names, feeds and graphs before it
    launches what it has captured. With cold caches that takes a tenth of a millisecond.

    Args:
        session: the `InferenceSession`, which works on the lane's stream alone.
        options: the `RunOptions` of a run that neither captures nor waits.
        inputs: the inputs, with the tensors of a call of these shapes.
        outputs: the outputs, likewise; their shapes must follow from those of the inputs.
        lane: where the session works; the tensors are ready.

    Attributes:
        shapes: those of the outputs.

    Raises:
        Exception: it cannot be captured; ONNX Runtime raises several kinds.
    """

    def __init__(
        self,
        session: Any,
        options: Any,
        inputs: Sequence[tuple[Port, DeviceArray]],
        outputs: Sequence[tuple[Port, DeviceArray]],
        lane: Lane,
    ) -> None:
        self._lane = lane
        binding = session.io_binding()
        sources, made = _buffers(inputs, lane), _buffers(outputs, lane)
        for (port, _), value in zip(inputs, sources, strict=True):
            binding.bind_ortvalue_input(port.name, value)
        for (port, _), value in zip(outputs, made, strict=True):
            binding.bind_ortvalue_output(port.name, value)
        self.shapes = [array.shape for _, array in outputs]
        self._sources = [(value.data_ptr(), array.nbytes) for value, (_, array) in zip(sources, inputs, strict=True)]
        self._results = [(value.data_ptr(), array.nbytes) for value, (_, array) in zip(made, outputs, strict=True)]
        self._keep = (session, binding, sources, made)
        # Once on real values, since what is made when it is first needed cannot be made while a stream is captured.
        self._fill([array for _, array in inputs])
        session.run_with_iobinding(binding, options)
        lane.memory.wait(lane.stream)
        self._graph = lane.memory.capture(lane.stream, lambda: session.run_with_iobinding(binding, options))
        weakref.finalize(self, lane.memory.delete_graph, self._graph).atexit = False  # the device may be gone by then

    def run(self, inputs: Sequence[DeviceArray], results: Sequence[DeviceArray]) -> None:
        """Copy the inputs, run, copy the results, wait: all on one stream."""
        memory, stream = self._lane.memory, self._lane.stream
        self._fill(inputs)
        memory.launch(self._graph, stream)
        for (own, nbytes), array in zip(self._results, results, strict=True):
            memory.copy(array.address, own, nbytes, stream)
        memory.wait(stream)

    def offer(self, runtime: Staging, lock: AbstractContextManager[Any]) -> None:
        """Have the runtime make such calls by itself; `lock` keeps the session to one of them at a time."""
        work = DeviceStage(lock, *self._lane.memory.entry_points(), self._graph, self._lane.stream)
        runtime.stage(self, work, self._sources, self._results)

    def _fill(self, inputs: Sequence[DeviceArray]) -> None:
        for (own, nbytes), array in zip(self._sources, inputs, strict=True):
            self._lane.memory.copy(own, array.address, nbytes, self._lane.stream)


def _buffers(tensors: Sequence[tuple[Port, DeviceArray]], lane: Lane) -> list[Any]:
    from onnxruntime import OrtValue

    return [
        OrtValue.ortvalue_from_shape_and_type(list(array.shape), port.type, lane.kind, lane.ordinal)
        for port, array in tensors
    ]
