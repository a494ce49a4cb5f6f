"""TensorRT's log, collected: its reasons are said there only, and none of it may reach the user's screen."""

from __future__ import annotations

import functools
import re
import threading
from typing import Any

_SPURIOUS = "cudaError 35"  # "no driver": it follows each real error on a machine without a GPU
_PREFIX = re.compile(r"^.*?Error Code \d+: [^(]*\((.*)\)$", re.DOTALL)


@functools.cache
def process_logger(trt: Any) -> Any:
    """Return the logger of this process: TensorRT keeps the first one that it is given, so there is only one.

    Its `take()` returns the errors that the calling thread has caused since it last took them, as one line.
    """

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self._local = threading.local()
            self._others: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            """Keep errors; TensorRT calls it, also on threads of its own while it builds."""
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR) and _SPURIOUS not in message:
                errors = getattr(self._local, "errors", self._others)
                errors.append(plain(message))

        def take(self) -> str:
            """Return and forget the errors so far, those of TensorRT's own threads included."""
            errors = [*getattr(self._local, "errors", ()), *self._others]
            self._local.errors = []
            self._others.clear()
            return "; ".join(dict.fromkeys(errors))

    return Logger()


def plain(message: str) -> str:
    """Return an error message of TensorRT without where in its source it was raised, on one line."""
    line = " ".join(message.split())
    match = _PREFIX.match(line)
    return match.group(1) if match else line
