"""Waiting for a GPU at the least cost (TensorFlow's way takes a tenth of a millisecond), and timing engine nodes."""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable

from tfgraft.plugins.protocol import Device
from tfgraft.runtime.capi import COMPUTE
from tfgraft.runtime.kernel import callbacks
from tfgraft.runtime.node import OP_NAME
from tfgraft.runtime.process import current

_TIMED = "tfgraft_timed"


def waiter() -> Callable[[], None]:
    """Return a function that waits for all work on the first GPU, for the calling thread.

    Raises:
        RuntimeError: the CUDA driver refuses.
    """
    library = ctypes.CDLL("libcuda.so.1")
    device, context = ctypes.c_int(), ctypes.c_void_p()

    def check(code: int) -> None:
        if code:
            raise RuntimeError(f"the CUDA driver says {code}")

    check(library.cuInit(0))
    check(library.cuDeviceGet(ctypes.byref(device), 0))
    check(library.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
    check(library.cuCtxSetCurrent(context))
    return lambda: check(library.cuCtxSynchronize())


@functools.cache
def timed_kernel() -> tuple[str, Callable[[], float]]:
    """Register the engine op's kernel for GPUs once more, with a clock.

    Returns:
        The attribute `_kernel` of nodes that are to use it, and a function that tells the seconds that the last call of
        any such node took.
    """
    process, _ = current()
    create, compute, delete = callbacks(process, Device("GPU"))
    last = [0.0]

    def timed(handle: int, context: int) -> None:
        start = time.perf_counter()
        compute(handle, context)
        last[0] = time.perf_counter() - start

    functions = create, COMPUTE(timed), delete
    process.callbacks.extend((*functions, compute))
    api = process.api
    library = ctypes.CDLL(api._files[0])
    library.TF_KernelBuilder_Label.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
    library.TF_KernelBuilder_Label.restype = None
    status = api.TF_NewStatus()
    builder = api.TF_NewKernelBuilder(OP_NAME.encode(), b"GPU", *functions)
    library.TF_KernelBuilder_Label(builder, _TIMED.encode())
    api.TF_RegisterKernelBuilder(b"TfGraftTimed", builder, status)
    api.check(status, "registering the timed kernel")
    api.TF_DeleteStatus(status)
    return _TIMED, lambda: last[0]
