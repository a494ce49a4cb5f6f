"""Outputs whose shape depends on values: TensorRT asks for memory while it runs and tells the shape when it knows."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tfgraft.plugins.protocol import DeviceOutputs


@functools.cache
def _allocator_class(trt: Any) -> Any:
    class GrowingOutput(trt.IOutputAllocator):  # type: ignore[misc]
        def __init__(self, outputs: DeviceOutputs, synchronize: Callable[[], None]) -> None:
            trt.IOutputAllocator.__init__(self)
            self._synchronize = synchronize
            self.address = 0
            self.shape: tuple[int, ...] = ()
            self._outputs = outputs
            self._size = -1

        def reallocate_output(self, tensor_name: str, memory: int, size: int, alignment: int) -> int:
            """Return memory of a size, as much as before if that is enough; 0 if there is none."""
            if size > self._size:
                try:
                    self.address = self._outputs.scratch(max(size, 256)).address
                    self._synchronize()  # TensorFlow may still use on its stream what it gives out
                except (MemoryError, RuntimeError):  # an exception must not go through TensorRT
                    return 0
                self._size = size
            return self.address

        def reallocate_output_async(self, tensor_name: str, memory: int, size: int, alignment: int, stream: int) -> int:
            """As `reallocate_output`."""
            return self.reallocate_output(tensor_name, memory, size, alignment)

        def notify_shape(self, tensor_name: str, shape: Any) -> None:
            """Keep the shape."""
            self.shape = tuple(shape)

    return GrowingOutput


def growing_output(trt: Any, outputs: DeviceOutputs, synchronize: Callable[[], None]) -> Any:
    """Return an `IOutputAllocator` with the `shape` and `address` of the output once the engine has run."""
    return _allocator_class(trt)(outputs, synchronize)
