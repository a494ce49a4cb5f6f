"""Keeping TensorFlow's log messages off the user's terminal while it does work of ours."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_python() -> Iterator[None]:
    """Raise the level of TensorFlow's and absl's Python loggers to ERROR, and hide Python warnings, for a while."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    levels = [logger.level for logger in loggers]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


_DESCRIPTOR = threading.RLock()
"""Held by who has redirected file descriptor 2, which is as global as this lock."""


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send file descriptor 2 to nowhere for a while, so that TensorFlow's C++ messages are not seen.

    The descriptor belongs to the whole process: what other threads write to standard error meanwhile is lost too.
    One thread has it at a time, others wait; use it around one call. Python's own `sys.stderr` object is flushed before
    and after and not replaced.
    """
    with _DESCRIPTOR:
        sys.stderr.flush()
        saved = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            os.close(nowhere)
