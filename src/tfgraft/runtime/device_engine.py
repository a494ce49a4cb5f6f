"""One engine node called on tensors in the memory of a GPU, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tfgraft.plugins.protocol import Array, Device, DeviceArray
from tfgraft.runtime.device_tensor import DevicePool, DeviceTensor
from tfgraft.runtime.node_engine import NewOutputs, NodeEngine
from tfgraft.runtime.process import Process


class DeviceEngine(NodeEngine):
    """A `NodeEngine` for tensors on one GPU; the native segment has copies of them.

    Args:
        process: the runtime's state.
        node: the engine node's NodeDef.
        weights: gives the values of its weight inputs.
        library: gives the graph's function library, serialized.
        pool: the GPU's memory.
    """

    def __init__(
        self,
        process: Process,
        node: Any,
        weights: Callable[[], Sequence[Array]],
        library: Callable[[], bytes],
        pool: DevicePool,
    ) -> None:
        super().__init__(process, node, weights, library, Device("GPU", pool.ordinal))
        self._pool = pool

    def run(self, inputs: Sequence[DeviceArray]) -> list[DeviceTensor]:
        """Compute all outputs, in new tensors, and wait for them.

        Args:
            inputs: the data inputs, of the engine's types and of any shapes, on this GPU. Work that makes them may
                still be queued.

        Raises:
            EngineError: the engine failed, and the node is strict.
            FeedError: the engine failed, and TensorFlow does not take the values either.
        """
        memory = self._pool.memory
        with memory.current(self._pool.ordinal):
            self.tick()
            error: Exception | None = self.refusal([array.shape for array in inputs])
            if error is None:
                try:
                    return self._compute(inputs)
                except Exception as failure:
                    error = failure
            memory.synchronize()
            results = self.fall_back([memory.to_host(array) for array in inputs], error)
            return [self._moved(result) for result in results]

    def _compute(self, inputs: Sequence[DeviceArray]) -> list[DeviceTensor]:
        outputs = _NewDeviceOutputs(self._outputs, self._types, partial(DeviceTensor, self._pool))
        self.load().run(inputs, outputs)
        return outputs.complete()

    def _moved(self, result: Array) -> DeviceTensor:
        tensor = DeviceTensor(self._pool, result.shape, result.dtype)
        # What used this memory before may be under way.
        self._pool.memory.synchronize()
        self._pool.memory.to_device(tensor, result)
        return tensor


class _NewDeviceOutputs(NewOutputs):
    """The `DeviceOutputs` of one call: `DeviceTensor`s."""

    __slots__ = ("_working",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._working: list[DeviceTensor] = []

    def scratch(self, nbytes: int) -> DeviceArray:
        """See `tfgraft.plugins.protocol.DeviceOutputs`."""
        made: DeviceTensor = self._make((nbytes,), np.dtype(np.uint8))
        self._working.append(made)
        return made
