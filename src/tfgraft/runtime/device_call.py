"""One call of an engine node on a GPU: TensorFlow's buffers as device pointers, copied only for the native segment."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Protocol

from tfgraft.plugins.protocol import Array, DeviceArray
from tfgraft.runtime.call import Call, InputSlot, OutputSlot
from tfgraft.runtime.capi import TensorHandle, numpy_dtype

_UINT8 = 4  # DT_UINT8


class DeviceMemory(Protocol):
    """What the call needs of a device; see `tfgraft.runtime.cuda.Cuda`."""

    def synchronize(self) -> None:
        """Wait for all work on the device."""
        ...

    def to_host(self, array: DeviceArray) -> Array:
        """Return a copy in host memory."""
        ...

    def to_device(self, target: DeviceArray, source: Array) -> None:
        """Copy an array to the device."""
        ...


class _AllocatorAttributes(ctypes.Structure):
    _fields_ = (("struct_size", ctypes.c_size_t), ("on_host", ctypes.c_ubyte))


class _DeviceInput(InputSlot):
    __slots__ = ()

    def view(self, address: int | None) -> Any:
        """Return the tensor at an address."""
        return _keep(self, address)


class _DeviceOutput(OutputSlot):
    __slots__ = ()

    def view(self, address: int | None) -> Any:
        """Return the tensor at an address."""
        return _keep(self, address)


def _keep(slot: InputSlot, address: int | None) -> DeviceArray:
    made = DeviceArray(address or 0, slot.shape, slot.dtype)
    slot.keep(address, made)
    return made


class DeviceCall(Call):
    """A `Call` whose data inputs and outputs are `DeviceArray`s; it is the `DeviceOutputs` of an executor.

    Weights and the segment's inputs are copied to host memory, its results back: that is for loading and falling back.

    Args:
        memory: the device's memory.
    """

    input_slot = _DeviceInput
    output_slot = _DeviceOutput

    def __init__(self, *args: Any, memory: DeviceMemory) -> None:
        super().__init__(*args)
        self._memory = memory
        self._scratch: list[TensorHandle] = []

    def scratch(self, nbytes: int) -> DeviceArray:
        """Return working memory that lasts until `end`.

        Raises:
            MemoryError: TensorFlow has no memory for it.
        """
        dims = (ctypes.c_int64 * 1)(nbytes)
        where = _AllocatorAttributes(ctypes.sizeof(_AllocatorAttributes), 0)
        cell = self._api.TF_AllocateTemp(self._context, _UINT8, dims, 1, ctypes.addressof(where), self.status)
        if not cell or self._api.TF_GetCode(self.status):
            message = self._api.TF_Message(self.status).decode(errors="replace")
            raise MemoryError(f"{nbytes} bytes of working memory cannot be allocated: {message}")
        self._scratch.append(cell)
        return DeviceArray(self._data(cell) or 0, (nbytes,), numpy_dtype(_UINT8))

    def end(self) -> None:
        """Give back the handles of inputs, outputs and working memory."""
        super().end()
        self.free_scratch()

    def free_scratch(self) -> None:
        """Give back the working memory."""
        for cell in self._scratch:
            self._delete(cell)
        self._scratch.clear()

    def fill(self, results: Sequence[Array]) -> None:
        """Copy the segment's results into TensorFlow's buffers; see `Call.fill`."""
        for slot, result in zip(self._outputs, results, strict=True):
            self._take_buffer(slot, result.shape)
        # The allocator gives out memory that queued work still uses.
        self._memory.synchronize()
        for slot, result in zip(self._outputs, results, strict=True):
            self._memory.to_device(slot.view(self._data(slot.cell)), result)

    def _any_view(self, slot: InputSlot) -> Array:
        self._memory.synchronize()
        return self._memory.to_host(super()._any_view(slot))
