"""The few functions of the CUDA driver that engines on a GPU need, by ctypes; nothing is loaded before it is used."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from typing import Any

import numpy as np

from tfgraft.plugins.protocol import Array, DeviceArray

_LIBRARIES = ("libcuda.so.1", "libcuda.so", "nvcuda.dll")
_PROTOTYPES: dict[str, tuple[Any, ...]] = {
    "cuGetErrorName": (c_int, POINTER(c_char_p)),
    "cuGetErrorString": (c_int, POINTER(c_char_p)),
    "cuInit": (c_uint,),
    "cuDriverGetVersion": (POINTER(c_int),),
    "cuDeviceGetCount": (POINTER(c_int),),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceTotalMem_v2": (POINTER(c_size_t), c_int),
    "cuCtxGetDevice": (POINTER(c_int),),
    "cuCtxSynchronize": (),
    "cuCtxPushCurrent_v2": (c_void_p,),
    "cuCtxPopCurrent_v2": (POINTER(c_void_p),),
    "cuDevicePrimaryCtxRetain": (POINTER(c_void_p), c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuDeviceGetName": (c_void_p, c_int, c_int),
    "cuMemAlloc_v2": (POINTER(c_uint64), c_size_t),
    "cuMemFree_v2": (c_uint64,),
    "cuMemcpyDtoH_v2": (c_void_p, c_uint64, c_size_t),
    "cuMemcpyHtoD_v2": (c_uint64, c_void_p, c_size_t),
    "cuMemcpyDtoDAsync_v2": (c_uint64, c_uint64, c_size_t, c_void_p),
    "cuStreamCreate": (POINTER(c_void_p), c_uint),
    "cuStreamSynchronize": (c_void_p,),
    "cuStreamDestroy_v2": (c_void_p,),
    "cuStreamBeginCapture_v2": (c_void_p, c_int),
    "cuStreamEndCapture": (c_void_p, POINTER(c_void_p)),
    "cuGraphInstantiateWithFlags": (POINTER(c_void_p), c_void_p, c_uint64),
    "cuGraphLaunch": (c_void_p, c_void_p),
    "cuGraphDestroy": (c_void_p,),
    "cuGraphExecDestroy": (c_void_p,),
}
_NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING
_THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: what other threads do is their affair
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR


class CudaError(RuntimeError):
    """A call of the CUDA driver failed, or there is no driver."""


class Cuda:
    """The driver, with the calling thread's current context. TensorFlow makes its own current around each kernel.

    Every method raises CudaError. The functions give Python's interpreter lock away while they run.
    """

    def __init__(self) -> None:
        self._library: Any = None
        self._functions: dict[str, Any] = {}
        self._contexts: dict[int, int] = {}

    @contextmanager
    def current(self, ordinal: int) -> Iterator[None]:
        """Make a device's primary context, which all libraries share, the calling thread's for a while."""
        if ordinal not in self._contexts:
            device, context = c_int(), c_void_p()
            self._call("cuInit", 0)
            self._call("cuDeviceGet", byref(device), ordinal)
            self._call("cuDevicePrimaryCtxRetain", byref(context), device)
            self._contexts[ordinal] = int(context.value or 0)
        self._call("cuCtxPushCurrent_v2", self._contexts[ordinal])
        try:
            yield
        finally:
            self._call("cuCtxPopCurrent_v2", byref(c_void_p()))

    def allocate(self, nbytes: int) -> int:
        """Return the address of new memory."""
        address = c_uint64()
        self._call("cuMemAlloc_v2", byref(address), nbytes)
        return address.value

    def free(self, address: int) -> None:
        """Give memory back; waits for all work that may use it."""
        self._call("cuMemFree_v2", address)

    def synchronize(self) -> None:
        """Wait for all work in the context, whoever's it is: TensorFlow's stream is not to be had from outside."""
        self._call("cuCtxSynchronize")

    def to_host(self, array: DeviceArray) -> Array:
        """Return a copy in host memory; what was queued before must have been waited for."""
        host: Array = np.empty(array.shape, array.dtype)
        if host.nbytes:
            self._call("cuMemcpyDtoH_v2", host.ctypes.data, array.address, host.nbytes)
        return host

    def to_device(self, target: DeviceArray, source: Array) -> None:
        """Copy an array of the same shape and type to the device."""
        host = np.ascontiguousarray(source)
        if host.nbytes:
            self._call("cuMemcpyHtoD_v2", target.address, host.ctypes.data, host.nbytes)

    def copy(self, target: int, source: int, nbytes: int, stream: int) -> None:
        """Queue a copy within the device's memory on a stream."""
        if nbytes:
            self._call("cuMemcpyDtoDAsync_v2", target, source, nbytes, stream)

    def entry_points(self) -> tuple[int, int, int, int]:
        """Return the addresses of the functions behind `synchronize`, `copy`, `launch` and `wait`, for callers in C."""
        names = ("cuCtxSynchronize", "cuMemcpyDtoDAsync_v2", "cuGraphLaunch", "cuStreamSynchronize")
        synchronize, copy, launch, wait = (ctypes.cast(self._function(name), c_void_p).value or 0 for name in names)
        return synchronize, copy, launch, wait

    def new_stream(self) -> int:
        """Return a stream that does not wait for the default one."""
        stream = c_void_p()
        self._call("cuStreamCreate", byref(stream), _NON_BLOCKING)
        return int(stream.value or 0)

    def wait(self, stream: int) -> None:
        """Wait for all work on a stream."""
        self._call("cuStreamSynchronize", stream)

    def delete_stream(self, stream: int) -> None:
        """Give a stream back."""
        self._call("cuStreamDestroy_v2", stream)

    def capture(self, stream: int, queue: Callable[[], object]) -> int:
        """Return a graph of what a function queues on a stream, which is not done now; its errors are passed on."""
        graph, made = c_void_p(), c_void_p()
        self._call("cuStreamBeginCapture_v2", stream, _THREAD_LOCAL)
        try:
            queue()
        except BaseException:
            self._function("cuStreamEndCapture")(stream, byref(graph))  # it fails: the capture was broken off
            self._function("cuGraphDestroy")(graph)
            raise
        self._call("cuStreamEndCapture", stream, byref(graph))
        try:
            self._call("cuGraphInstantiateWithFlags", byref(made), graph, 0)
        finally:
            self._call("cuGraphDestroy", graph)
        return int(made.value or 0)

    def launch(self, graph: int, stream: int) -> None:
        """Queue a graph on a stream."""
        self._call("cuGraphLaunch", graph, stream)

    def delete_graph(self, graph: int) -> None:
        """Give a graph back."""
        self._call("cuGraphExecDestroy", graph)

    def describe(self) -> str:
        """Return the current device's name and compute capability, such as "NVIDIA L4 (compute capability 8.9)"."""
        device = c_int()
        self._call("cuCtxGetDevice", byref(device))
        return self._describe(device)

    def describe_all(self) -> list[str]:
        """Return the driver's version and the same of every device; it needs no context and makes none."""
        version, count = c_int(), c_int()
        self._call("cuInit", 0)
        self._call("cuDriverGetVersion", byref(version))
        self._call("cuDeviceGetCount", byref(count))
        found = [f"driver {version.value}"]
        for ordinal in range(count.value):
            device = c_int()
            self._call("cuDeviceGet", byref(device), ordinal)
            found.append(self._describe(device))
        return found

    def _describe(self, device: c_int) -> str:
        major, minor = c_int(), c_int()
        self._call("cuDeviceGetAttribute", byref(major), _MAJOR, device)
        self._call("cuDeviceGetAttribute", byref(minor), _MINOR, device)
        name = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", name, len(name), device)
        return f"{name.value.decode(errors='replace')} (compute capability {major.value}.{minor.value})"

    def total_memory(self, ordinal: int) -> int:
        """Return the size of a device's memory in bytes; it needs no context and makes none."""
        device, size = c_int(), c_size_t()
        self._call("cuInit", 0)
        self._call("cuDeviceGet", byref(device), ordinal)
        self._call("cuDeviceTotalMem_v2", byref(size), device)
        return size.value

    def _function(self, name: str) -> Any:
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = getattr(self._library or self._load(), name)
        return function

    def _call(self, name: str, *args: Any) -> None:
        code = self._function(name)(*args)
        if code:
            raise CudaError(f"{name}: {self._error(code)}")

    def _error(self, code: int) -> str:
        name, text = c_char_p(), c_char_p()
        self._library.cuGetErrorName(code, byref(name))
        self._library.cuGetErrorString(code, byref(text))
        known = [part.value.decode() for part in (name, text) if part.value]
        return ": ".join(known) or f"error {code}"

    def _load(self) -> Any:
        for file in _LIBRARIES:
            try:
                library = ctypes.CDLL(file)
            except OSError:
                continue
            for name, argtypes in _PROTOTYPES.items():
                function = getattr(library, name)
                function.restype, function.argtypes = c_int, argtypes
            self._library = library
            return library
        raise CudaError(f"there is no CUDA driver here (none of {', '.join(_LIBRARIES)} can be loaded)")


def devices_here() -> str:
    """Return the driver's version and all devices, as text; empty where there is no driver or no device."""
    try:
        return "; ".join(Cuda().describe_all())
    except CudaError:
        return ""
