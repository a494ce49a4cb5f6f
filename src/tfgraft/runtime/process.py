"""What the runtime keeps for the whole process: one op registration, one set of engines, builders and counters."""

from __future__ import annotations

import atexit
import itertools
import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tfgraft.plugins.protocol import Device
from tfgraft.runtime.capi import CApi
from tfgraft.runtime.counters import CounterTable
from tfgraft.runtime.engines import Builders, SharedEngine
from tfgraft.runtime.node import Signature

_SLOT = "tfgraft._runtime_process"
_WARNINGS_PER_NODE = 16
_QUIET = 4  # hundredths of a second without any call that the end of the process waits for
_PATIENCE = 5.0  # seconds that the end of the process waits for engines at work


class Process:
    """The runtime's state. TensorFlow's op registry is per process and cannot be undone, so this is too."""

    def __init__(self) -> None:
        self.api = CApi()
        self.builders = Builders()
        self.counters = CounterTable()
        self.kernels: dict[int, Any] = {}
        self.callbacks: list[Any] = []
        """Every callback that TensorFlow holds; one that is collected would crash the process."""
        self.refused = 0
        """Calls that came after `close`."""
        self._handles = itertools.count(1)
        self._engines: dict[tuple[str, str, Device], SharedEngine] = {}
        self._warned: dict[str, set[str]] = {}
        self._lock = threading.RLock()
        atexit.register(self.close)

    def add_kernel(self, kernel: Any) -> int:
        """Keep a kernel and return the handle by which TensorFlow names it."""
        handle = next(self._handles)
        self.kernels[handle] = kernel
        return handle

    def close(self) -> None:
        """Let no call into Python any more and wait for those that run, because the interpreter is about to end.

        A thread of TensorFlow's (of a prefetching dataset, or of a session that a daemon thread runs) that entered
        Python after that would bring the process down with "FATAL: exception not rethrown".
        """
        kernels = list(self.kernels.values())
        self.kernels.clear()
        end = time.monotonic() + _PATIENCE
        quiet = 0 if kernels else _QUIET
        while quiet < _QUIET and time.monotonic() < end:
            refused = self.refused
            time.sleep(0.01)
            quiet = 0 if self.refused != refused or any(k.busy() for k in kernels) else quiet + 1

    def acquire(
        self, engine: str, fingerprint: str, device: Device, signature: Signature, payload: Callable[[], bytes]
    ) -> SharedEngine:
        """Return the engine with a fingerprint for one more kernel; `payload` is called if nobody has it yet."""
        key = (engine, fingerprint, device)
        with self._lock:
            shared = self._engines.get(key)
            if shared is None:
                shared = self._engines[key] = SharedEngine(engine, signature, payload(), device, self.builders)
            shared.users += 1
            return shared

    def release(self, shared: SharedEngine) -> None:
        """Take one kernel off an engine; the last one drops it, so that models that come and go leave nothing."""
        with self._lock:
            shared.users -= 1
            if shared.users:
                return
            for key in [k for k, v in self._engines.items() if v is shared]:
                del self._engines[key]
        shared.close()

    def first_time(self, node: str, cause: str) -> bool:
        """Tell whether this node has not been warned about for this cause yet; after many causes, always no."""
        with self._lock:
            seen = self._warned.setdefault(node, set())
            if cause in seen or len(seen) >= _WARNINGS_PER_NODE:
                return False
            seen.add(cause)
            return True


def current() -> tuple[Process, bool]:
    """Return the process's state, and whether this call made it.

    It hangs on `sys.modules`, beside the package, so that a reload or a second copy of tfgraft finds it.
    """
    holder = sys.modules.get(_SLOT)
    if holder is None:
        holder = ModuleType(_SLOT)
        process = Process()
        holder.__dict__["process"] = process
        sys.modules[_SLOT] = holder
        return process, True
    return holder.__dict__["process"], False
