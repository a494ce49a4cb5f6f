"""Resident memory of a process, read from /proc (Linux)."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType


def resident_bytes(process: int | None = None) -> int | None:
    """Return the resident set of a process (this one by default), or None where /proc does not tell."""
    try:
        fields = Path(f"/proc/{process or 'self'}/statm").read_text(encoding="ascii").split()
    except OSError:
        return None
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


class PeakMemory:
    """A context that samples this process's resident memory; `added` is the peak over the start, in bytes."""

    def __init__(self, interval_s: float = 0.005) -> None:
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.start: int | None = None
        self.peak: int | None = None

    @property
    def added(self) -> int | None:
        """The peak so far, less what was resident at the start."""
        return None if self.start is None or self.peak is None else self.peak - self.start

    def __enter__(self) -> PeakMemory:
        self.start = self.peak = resident_bytes()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._note()

    def _sample(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._note()

    def _note(self) -> None:
        now = resident_bytes()
        if now is not None and self.peak is not None:
            self.peak = max(self.peak, now)
