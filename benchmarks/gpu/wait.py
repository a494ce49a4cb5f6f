"""Waiting for a GPU at the least cost (TensorFlow's way takes a tenth of a millisecond), and timing engine nodes."""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable
from typing import Any

from tfgraft.runtime.kernel import Kernel


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
def node_timer() -> Callable[[], float]:
    """Return a function that tells the seconds that the last call of any engine node on a GPU took, in this process."""
    compute: Any = Kernel.compute
    last = [0.0]

    def timed(kernel: Any, context: int) -> None:
        start = time.perf_counter()
        compute(kernel, context)
        last[0] = time.perf_counter() - start

    setattr(Kernel, "compute", timed)  # noqa: B010 (mypy has no assignment to methods)
    return lambda: last[0]
