"""A device whose memory is the host's: the GPU kernel's code runs on it with TensorFlow's real buffers."""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfgraft.dlpack import capsule_of
from tfgraft.plugins.protocol import (
    Array,
    BuildContext,
    BuiltEngine,
    Cluster,
    Device,
    DeviceArray,
    DeviceExecutor,
    DeviceOutputs,
)
from tfgraft.registry.support import SUPPORTED, Support
from tfgraft.runtime.cuda import CudaError
from tfgraft.runtime.kernel import callbacks
from tfgraft.runtime.process import current
from tfgraft.runtime.register import register_kernel

LABEL = "tfgraft_test_device"


def host(array: DeviceArray) -> Array:
    """Return a view of a tensor of the device."""
    if array.nbytes == 0:
        return np.empty(array.shape, array.dtype)
    buffer: Any = (ctypes.c_char * array.nbytes).from_address(array.address)
    return np.frombuffer(buffer, array.dtype).reshape(array.shape)


@dataclass
class HostMemory:
    """The memory of the device; it notes the order of what is done.

    Args:
        room: so many bytes it has for tensors of its own.
    """

    done: list[str] = field(default_factory=list)
    room: int = 1 << 30
    pieces: dict[int, Any] = field(default_factory=dict)
    contexts: threading.local = field(default_factory=threading.local)

    @contextmanager
    def current(self, ordinal: int) -> Iterator[None]:
        """Note that the thread may use it."""
        before = getattr(self.contexts, "ordinal", None)
        self.contexts.ordinal = ordinal
        yield
        self.contexts.ordinal = before

    def allocate(self, nbytes: int) -> int:
        """Return the address of new memory, if there is room."""
        assert self.contexts.ordinal is not None, "no context is current"
        self.done.append("allocate")
        if sum(len(piece) for piece in self.pieces.values()) + nbytes > self.room:
            raise CudaError("cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY")
        piece = (ctypes.c_char * nbytes)()
        address = ctypes.addressof(piece)
        self.pieces[address] = piece
        return address

    def free(self, address: int) -> None:
        """Give memory back."""
        assert self.contexts.ordinal is not None, "no context is current"
        self.done.append("free")
        del self.pieces[address]

    def synchronize(self) -> None:
        """Nothing is under way."""
        self.done.append("synchronize")

    def to_host(self, array: DeviceArray) -> Array:
        """Copy."""
        self.done.append("to_host")
        return host(array).copy()

    def to_device(self, target: DeviceArray, source: Array) -> None:
        """Copy."""
        self.done.append("to_device")
        host(target)[...] = source


class OnGpu:
    """An array that says that it is in the memory of a GPU, as another library's tensor would."""

    def __init__(self, array: Array, ordinal: int = 0) -> None:
        self.array, self.ordinal = array, ordinal

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return CUDA's number, and the GPU's."""
        return 2, self.ordinal

    def __dlpack__(self, stream: Any = None) -> Any:
        """Return a capsule."""
        lent = DeviceArray(self.array.ctypes.data, self.array.shape, self.array.dtype)
        return capsule_of(lent, self.ordinal, self.array)


@dataclass
class DeviceEngine:
    """y = x * scale + 1 by way of working memory, with faults; it is its own builder."""

    name: str = "device"
    converters: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("GPU",)
    fault: str = ""
    loaded_on: list[Device] = field(default_factory=list)
    weights: list[Array] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)

    def available(self) -> Support:
        """Always."""
        return SUPPORTED

    def check_options(self, options: Mapping[str, Any]) -> None:
        """It has no options."""

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """Tests make their engines by `affine_engine`."""
        raise NotImplementedError

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> DeviceExecutor:
        """Load."""
        if self.fault == "load":
            raise RuntimeError("the device refuses it")
        self.loaded_on.append(device)
        self.weights = [np.array(w) for w in weights]
        return self

    def run(self, inputs: Sequence[DeviceArray], outputs: DeviceOutputs) -> None:
        """Compute."""
        (x,) = inputs
        self.seen.append(x)
        if self.fault == "run":
            raise RuntimeError("the device is tired")
        scratch = outputs.scratch(max(x.nbytes, 1))
        work = host(DeviceArray(scratch.address, x.shape, x.dtype))
        work[...] = host(x) * (self.weights[0] if self.weights else 2)
        y = outputs.allocate(0, x.shape)
        if self.fault == "late":
            raise RuntimeError("the device gave up")
        host(y)[...] = work + 1


@functools.cache
def register_device() -> HostMemory:
    """Register a second kernel of the engine op, for nodes with the attribute `_kernel`; return its memory.

    TensorFlow takes a kernel once in a process.
    """
    process, _ = current()
    memory = HostMemory()
    register_kernel(process, "CPU", callbacks(process, Device("GPU"), memory), LABEL)
    return memory
