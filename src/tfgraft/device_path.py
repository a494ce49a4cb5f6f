"""Calling a grafted model with tensors in the memory of a GPU: straight into its engines, or through TensorFlow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tfgraft.arguments import Slot
from tfgraft.direct import Direct
from tfgraft.dlpack import gpu_of
from tfgraft.errors import FeedError

if TYPE_CHECKING:
    from tfgraft.runtime.device_engine import DeviceEngine
    from tfgraft.runtime.device_tensor import DeviceMemory


class DevicePath:
    """Calls of a model with all inputs in the memory of one GPU. Thread-safe.

    Args:
        direct: the engines that compute the whole model, if they do.
        library: gives the graph's function library, serialized.
        slots: the model's inputs.
        function: makes the function to call where not all of the model is engines that work in a GPU's memory.
        memory: the driver, CUDA's by default.
    """

    def __init__(
        self,
        direct: Direct | None,
        library: Callable[[], bytes],
        slots: Sequence[Slot],
        function: Callable[[], Any],
        memory: DeviceMemory | None = None,
    ) -> None:
        self._direct, self._library = direct, library
        self._slots, self._function, self._memory = slots, function, memory
        self._engines: dict[int, list[DeviceEngine] | None] = {}
        self._lock = threading.Lock()

    def run(self, values: Sequence[Any]) -> list[Any]:
        """Compute the outputs, in the memory of the GPU where the inputs are.

        Returns:
            `DeviceTensor`s from engines that compute the whole model, else tensors of TensorFlow.

        Raises:
            FeedError: an input is somewhere else, or of the wrong type or shape.
            EngineError: the engine failed, and the model was made with `strict=True`.
        """
        ordinal = self._place(values)
        lent = [slot.borrow(value) for slot, value in zip(self._slots, values, strict=True)]
        capsules, arrays = [capsule for capsule, _ in lent], [array for _, array in lent]
        engines = self._engines_on(ordinal)
        if engines is None or self._direct is None:
            return self._by_tensorflow(capsules)
        known: list[Any] = list(arrays)
        tensors: list[Any] = [None] * len(arrays)
        for engine, step in zip(engines, self._direct.steps, strict=True):
            made = engine.run([known[i] for i in step.inputs])
            tensors += made
            known += [tensor.array for tensor in made]
        return [tensors[i] for i in self._direct.outputs]

    def _place(self, values: Sequence[Any]) -> int:
        """Return the number of the one GPU that all values are on."""
        places = [gpu_of(value) for value in values]
        if None not in places and len({*places}) == 1:
            return places[0] or 0
        told = [
            f"{slot.name!r} {'in host memory' if place is None else f'on GPU {place}'}"
            for slot, place in zip(self._slots, places, strict=True)
        ]
        raise FeedError(f"Inputs are in several places: {', '.join(told)}.", "Give all of them in one place.")

    def _engines_on(self, ordinal: int) -> list[DeviceEngine] | None:
        """Return the engines of the direct path on a GPU, None if there is none."""
        try:
            return self._engines[ordinal]
        except KeyError:
            with self._lock:
                if ordinal not in self._engines:
                    self._engines[ordinal] = self._make_engines(ordinal)
                return self._engines[ordinal]

    def _make_engines(self, ordinal: int) -> list[DeviceEngine] | None:
        if self._direct is None:
            return None
        from tfgraft.runtime import device_engine
        from tfgraft.runtime.cuda import Cuda
        from tfgraft.runtime.device_tensor import DevicePool

        pool = DevicePool(self._memory or Cuda(), ordinal)
        engines = []
        for step in self._direct.steps:
            engine = device_engine(step.node, step.weights, self._library, pool)
            if engine is None:
                return None
            engines.append(engine)
        return engines

    def _by_tensorflow(self, capsules: Sequence[Any]) -> list[Any]:
        import tensorflow as tf

        tensors = []
        for slot, capsule in zip(self._slots, capsules, strict=True):
            try:
                tensors.append(tf.experimental.dlpack.from_dlpack(capsule))
            except Exception as error:  # TensorFlow raises several kinds
                raise FeedError(
                    f"Input {slot.text} is given a value in a GPU's memory, where this model cannot take it: {error}",
                    "Give it in host memory.",
                ) from error
        function = self._function()
        return list(function._call_flat(tensors, function.captured_inputs))
