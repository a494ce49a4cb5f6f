"""Watching a build: it can be interrupted, and given up after some time."""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any


class Watch:
    """Says whether a build shall go on.

    Args:
        timeout: seconds from now after which it shall not; None for never.
    """

    def __init__(self, timeout: float | None = None) -> None:
        self._end = None if timeout is None else time.monotonic() + timeout
        self._interrupted: Callable[[], Any] | None = None

    def expired(self) -> bool:
        """Tell whether the time is over."""
        return self._end is not None and time.monotonic() > self._end

    def goes_on(self) -> bool:
        """Tell whether to go on."""
        return self._interrupted is None and not self.expired()

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Hold back Ctrl-C inside the block, and let it take its effect right after.

        TensorRT calls Python back while it builds, and an exception that left such a callback would end the process.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            yield
            return

        def hold(number: int, frame: Any) -> None:
            self._interrupted = functools.partial(handler, number, frame)

        signal.signal(signal.SIGINT, hold)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, handler)
        if self._interrupted is not None:
            self._interrupted()


@functools.cache
def _monitor_class(trt: Any) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self, watch: Watch) -> None:
            trt.IProgressMonitor.__init__(self)
            self._watch = watch

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            """Nothing is done at the beginning of a phase."""

        def phase_finish(self, phase_name: str) -> None:
            """Nothing is done at its end."""

        def step_complete(self, phase_name: str, step: int) -> bool:
            """Say after each step whether to go on."""
            return self._watch.goes_on()

    return Monitor


def monitor(trt: Any, watch: Watch) -> Any:
    """Return an `IProgressMonitor` that stops a build when the watch says so."""
    return _monitor_class(trt)(watch)
