"""Calling a grafted model with tensors in the memory of a GPU: straight into its engines, or through TensorFlow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tfgraft.arguments import Slot
from tfgraft.direct import Direct, in_turn
from tfgraft.errors import FeedError

if TYPE_CHECKING:
    from tfgraft.runtime.device_tensor import OwnMemory

_Call = Callable[[Sequence[Any]], list[Any]]


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
        memory: OwnMemory | None = None,
    ) -> None:
        self._direct, self._library = direct, library
        self._slots, self._function, self._memory = slots, function, memory
        self._calls: dict[int, _Call | None] = {}
        self._lock = threading.Lock()

    def run(self, values: Sequence[Any], places: Sequence[int | None]) -> list[Any]:
        """Compute the outputs, in the memory of the GPU where the inputs are.

        Args:
            values: the inputs, in order.
            places: the GPU of each, None for host memory; see `tfgraft.dlpack.gpu_of`.

        Returns:
            `DeviceTensor`s from engines that compute the whole model, else tensors of TensorFlow.

        Raises:
            FeedError: an input is somewhere else, or of the wrong type or shape.
            EngineError: the engine failed, and the model was made with `strict=True`.
        """
        ordinal = self._place(places)
        lent = [slot.borrow(value) for slot, value in zip(self._slots, values, strict=True)]
        capsules, arrays = [capsule for capsule, _ in lent], [array for _, array in lent]
        call = self._call_on(ordinal)
        return self._by_tensorflow(capsules) if call is None else call(arrays)

    def _place(self, places: Sequence[int | None]) -> int:
        """Return the number of the one GPU that all inputs are on."""
        if None not in places and len({*places}) == 1:
            return places[0] or 0
        told = [
            f"{slot.name!r} {'in host memory' if place is None else f'on GPU {place}'}"
            for slot, place in zip(self._slots, places, strict=True)
        ]
        raise FeedError(f"Inputs are in several places: {', '.join(told)}.", "Give all of them in one place.")

    def _call_on(self, ordinal: int) -> _Call | None:
        """Return the direct path on a GPU, None if there is none."""
        try:
            return self._calls[ordinal]
        except KeyError:
            with self._lock:
                if ordinal not in self._calls:
                    self._calls[ordinal] = self._make_call(ordinal)
                return self._calls[ordinal]

    def _make_call(self, ordinal: int) -> _Call | None:
        if self._direct is None:
            return None
        from tfgraft.runtime import device_engine
        from tfgraft.runtime.cuda import Cuda
        from tfgraft.runtime.device_tensor import DevicePool

        pool = DevicePool(self._memory or Cuda(), ordinal)
        runs = []
        for step in self._direct.steps:
            engine = device_engine(step.node, step.weights, self._library, pool)
            if engine is None:
                return None
            runs.append(engine.run)
        return in_turn(self._direct, runs)

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
