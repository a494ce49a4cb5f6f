"""An engine in numpy with the face of TensorRT's, for the executor's own code: y = x * 2 + 1, on the test device."""

from __future__ import annotations

import ctypes
import itertools
import threading
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from tests.runtime.device import HostMemory


class TensorLocation(Enum):
    """Where TensorRT wants a tensor."""

    DEVICE = 0
    HOST = 1


class Strategy(Enum):
    """Who gives an execution context its working memory."""

    USER_MANAGED = 2


class IOutputAllocator:
    """TensorRT's base class."""


@dataclass
class Module:
    """What the executor takes from the module `tensorrt`."""

    TensorLocation: Any = TensorLocation
    IOutputAllocator: Any = IOutputAllocator
    ExecutionContextAllocationStrategy: Any = Strategy

    def __hash__(self) -> int:
        return id(self)


@dataclass
class Driver(HostMemory):
    """The test device's memory with streams; all is done at once."""

    streams: Any = field(default_factory=lambda: itertools.count(1))

    def new_stream(self) -> int:
        """Return another number."""
        return next(self.streams)

    def wait(self, stream: int) -> None:
        """Nothing is under way."""

    def copy(self, target: int, source: int, nbytes: int, stream: int) -> None:
        """Copy at once."""
        ctypes.memmove(target, source, nbytes)


@dataclass
class Engine:
    """Float32, rank 2.

    Args:
        grows: the output's shape is known when the engine has run: rows with a positive sum stay.
        broken: it does not run.
    """

    grows: bool = False
    broken: bool = False
    profiles: int = 1
    contexts: list[Any] = field(default_factory=list)
    num_io_tensors: int = 2

    @property
    def num_optimization_profiles(self) -> int:
        return self.profiles

    def get_tensor_name(self, i: int) -> str:
        return ("input_0", "output_0")[i]

    def get_tensor_location(self, name: str) -> TensorLocation:
        return TensorLocation.DEVICE

    def get_device_memory_size_for_profile_v2(self, profile: int) -> int:
        return 1000 * (profile + 1)

    def create_execution_context(self, strategy: Any) -> Any:
        self.contexts.append(Context(self))
        return self.contexts[-1]


@dataclass
class Context:
    """An execution context; it fails if two calls use it at once, or if it was not given all that it needs."""

    engine: Engine
    profile: int = -1
    shape: Any = None
    addresses: dict[str, int] = field(default_factory=dict)
    memory: int = 0
    allocator: Any = None
    busy: threading.Lock = field(default_factory=threading.Lock)

    def set_optimization_profile_async(self, profile: int, stream: int) -> bool:
        self.profile = profile
        return True

    def set_input_shape(self, name: str, shape: Any) -> bool:
        self.shape = shape
        return True

    def set_tensor_address(self, name: str, address: int) -> bool:
        assert address, name
        self.addresses[name] = address
        return True

    def set_output_allocator(self, name: str, allocator: Any) -> bool:
        self.allocator = allocator
        return True

    def set_device_memory(self, address: int, size: int) -> None:
        assert size == 1000 * (self.profile + 1)
        self.memory = address
        ctypes.memset(address, 255, size)

    def infer_shapes(self) -> list[str]:
        return []

    def get_tensor_shape(self, name: str) -> Any:
        return (-1, self.shape[1]) if self.engine.grows else self.shape

    def execute_async_v3(self, stream: int) -> bool:
        with self.busy:
            assert self.memory
            if self.engine.broken:
                return False
            x = _view(self.addresses["input_0"], self.shape)
            y = x * 2 + 1
            if self.engine.grows:
                y = y[x.sum(1) > 0]
                address = self.allocator.reallocate_output_async("output_0", 0, y.nbytes, 256, stream)
                self.allocator.notify_shape("output_0", y.shape)
            else:
                address = self.addresses["output_0"]
            _view(address, y.shape)[...] = y
            self.memory = 0
        return True


def _view(address: int, shape: Any) -> Any:
    count = int(np.prod(shape))
    if not count:
        return np.empty(shape, np.float32)
    return np.frombuffer((ctypes.c_char * (count * 4)).from_address(address), np.float32).reshape(shape)  # type: ignore[call-overload]
