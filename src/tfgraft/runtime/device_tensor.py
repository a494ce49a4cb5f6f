"""Results in the memory of a GPU, for callers without TensorFlow, and the memory that they come from."""

from __future__ import annotations

import contextlib
import math
import threading
import weakref
from collections import deque
from collections.abc import MutableSequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from tfgraft.dlpack import CUDA, capsule_of
from tfgraft.plugins.protocol import Array, DeviceArray
from tfgraft.runtime.cuda import CudaError
from tfgraft.runtime.device_call import DeviceMemory

_KEPT = 16
"""So many pieces of memory that nobody uses are kept for the next calls."""


class OwnMemory(DeviceMemory, Protocol):
    """What is needed of the CUDA driver besides, to have memory of one's own; see `tfgraft.runtime.cuda.Cuda`."""

    def current(self, ordinal: int) -> AbstractContextManager[None]:
        """Make a device's primary context the calling thread's for a while."""
        ...

    def allocate(self, nbytes: int) -> int:
        """Return the address of new memory."""
        ...

    def free(self, address: int) -> None:
        """Give memory back."""
        ...


class DevicePool:
    """Memory of one GPU for results, which come and go in the same sizes from call to call. Thread-safe.

    Work that reads what was given back may still be queued. That does no harm, since engines wait for all work in the
    context before they write.

    Args:
        memory: the driver.
        ordinal: the GPU's number.
    """

    def __init__(self, memory: OwnMemory, ordinal: int) -> None:
        self.memory, self.ordinal = memory, ordinal
        self._free: list[tuple[int, int]] = []
        # Apart, since tensors go at any time, in the middle of `take` as well, and appending needs no lock.
        self._returned: deque[tuple[int, int]] = deque()
        self._lock = threading.Lock()
        for pieces in (self._free, self._returned):
            weakref.finalize(self, _free_all, memory, ordinal, pieces).atexit = False

    def take(self, nbytes: int) -> int:
        """Return the address of memory of that size, 0 for no bytes; the GPU's context is current.

        Raises:
            CudaError: there is none left.
        """
        if not nbytes:
            return 0
        with self._lock:
            while self._returned:
                self._free.append(self._returned.popleft())
            for i, (size, address) in enumerate(self._free):
                if size == nbytes:
                    del self._free[i]
                    return address
            while len(self._free) > _KEPT:
                self.memory.free(self._free.pop(0)[1])
            try:
                return self.memory.allocate(nbytes)
            except CudaError:
                if not self._free:
                    raise
                while self._free:
                    self.memory.free(self._free.pop()[1])
                return self.memory.allocate(nbytes)

    def give(self, address: int, nbytes: int) -> None:
        """Take memory back."""
        if nbytes:
            self._returned.append((nbytes, address))


def _free_all(memory: OwnMemory, ordinal: int, pieces: MutableSequence[tuple[int, int]]) -> None:
    with contextlib.suppress(CudaError), memory.current(ordinal):  # the device may be gone
        while pieces:
            memory.free(pieces.pop()[1])


class DeviceTensor(DeviceArray):
    """A result in the memory of a GPU, complete when it is returned.

    Others use its memory without a copy: whatever takes DLPack (`torch.from_dlpack(result)`,
    `jax.dlpack.from_dlpack(result)`, `tf.experimental.dlpack.from_dlpack(result.__dlpack__())`) or the CUDA array
    interface (`cupy.asarray(result)`). The memory lasts as long as this or any of them; who queues work on it keeps one
    until the next call at least.

    Args:
        pool: where its memory comes from; the GPU's context is current.
        shape: its dimensions.
        dtype: the type of its elements.
    """

    _pool: DevicePool

    def __init__(self, pool: DevicePool, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        super().__init__(pool.take(math.prod(shape) * dtype.itemsize), shape, dtype)
        object.__setattr__(self, "_pool", pool)  # its class is frozen

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return DLPack's number of the kind of device, and the GPU's number."""
        return CUDA, self._pool.ordinal

    def __dlpack__(
        self,
        *,
        stream: object = None,
        max_version: object = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """Return a capsule with the memory itself, whatever the stream: nothing is left to wait for.

        Raises:
            BufferError: a copy is asked for, or another device.
        """
        if copy or dl_device not in (None, self.__dlpack_device__()):
            raise BufferError(f"this result is shared in the memory of GPU {self._pool.ordinal} only; see numpy()")
        return capsule_of(self, self._pool.ordinal, self)

    def numpy(self) -> Array:
        """Return a copy in host memory."""
        with self._pool.memory.current(self._pool.ordinal):
            return self._pool.memory.to_host(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return `numpy()`, for NumPy's functions."""
        if copy is False:
            raise ValueError("a result in the memory of a GPU is an array only as a copy")
        array = self.numpy()
        return array if dtype is None else array.astype(dtype)

    def __repr__(self) -> str:
        return f"DeviceTensor(shape={self.shape}, dtype={self.dtype}, GPU {self._pool.ordinal})"

    def __del__(self) -> None:
        pool = getattr(self, "_pool", None)  # there is none where memory was short
        if pool is not None:
            pool.give(self.address, self.nbytes)
