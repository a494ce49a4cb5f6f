"""Waiting for a GPU at the least cost (TensorFlow's way takes a tenth of a millisecond), and timing engine nodes."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from tfgraft.plugins.protocol import Device
from tfgraft.runtime.capi import COMPUTE
from tfgraft.runtime.cuda import Cuda
from tfgraft.runtime.kernel import callbacks
from tfgraft.runtime.process import current
from tfgraft.runtime.register import register_kernel

_TIMED = "tfgraft_timed"


def waiter() -> Callable[[], None]:
    """Return a function that waits for all work on the first GPU; it raises CudaError."""
    cuda = Cuda()

    def wait() -> None:
        with cuda.current(0):
            cuda.synchronize()

    return wait


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

    process.callbacks.append(compute)
    register_kernel(process, "GPU", (create, COMPUTE(timed), delete), _TIMED)
    return _TIMED, lambda: last[0]
