"""Keeping TensorFlow's log messages off the user's terminal while it does work of ours."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
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
    with open(os.devnull, "wb") as nowhere, _redirected(nowhere.fileno()):
        yield


_REMARK = re.compile(rb"[IW]\d{4} \d\d:\d\d:.*\.cc:\d+\]|WARNING: All log messages before absl::InitializeLog")
"""How lines begin that TensorFlow's C++ code writes where all is well."""


@contextlib.contextmanager
def quiet_remarks() -> Iterator[None]:
    """Leave out what TensorFlow's C++ code remarks on standard error, its errors aside; anything else comes through.

    What is written to file descriptor 2 meanwhile, by whichever thread, is seen after it.
    """
    with contextlib.ExitStack() as stack:
        try:
            kept = stack.enter_context(tempfile.TemporaryFile())
        except OSError:  # there is no place for one: rather remarks than no graph
            yield
            return
        try:
            with _redirected(kept.fileno()):
                yield
        finally:
            kept.seek(0)
            rest = b"".join(line for line in kept if not _REMARK.match(line))
            if rest:
                os.write(2, rest)


@contextlib.contextmanager
def _redirected(target: int) -> Iterator[None]:
    with _DESCRIPTOR:
        _flush()
        try:
            saved = os.dup(2)
        except OSError:  # it is closed, as a daemon's may be
            yield
            return
        try:
            os.dup2(target, 2)
            yield
        finally:
            _flush()
            os.dup2(saved, 2)
            os.close(saved)


def _flush() -> None:
    with contextlib.suppress(AttributeError, ValueError):  # there is none, or it is closed
        sys.stderr.flush()
