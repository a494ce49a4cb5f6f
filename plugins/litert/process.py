"""The process that converts: LiteRT's converter and interpreter may abort or crash, and the user's process lives on.

It takes some seconds to import TensorFlow, so one process does all the conversions that come shortly after each other.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from typing import Any

from tfgraft.plugins.litert.convert import Failure, Job, Made


class ConverterProcess:
    """Converts in a child process, which is started when it is needed and again when it has died; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: Any = None
        self._owner = os.getpid()

    @property
    def pid(self) -> int | None:
        """The number of the child process, if there is one."""
        return None if self._process is None else self._process.pid

    def convert(self, job: Job, timeout: float | None = None) -> Made | Failure:
        """Convert, and try what was made.

        Args:
            timeout: seconds after which the process is ended; starting it counts.

        Returns:
            The model, or why there is none: also that the process died, or took too long.
        """
        with self._lock:
            self._forget_of_other()
            for is_last in (False, True):
                late = threading.Event()
                answer = self._ask(job, timeout, late)
                if answer is not None:
                    return answer
                code, last = self._end()
                if late.is_set():
                    return Failure(f"LiteRT's converter has not done it within {timeout:g} seconds", lasting=False)
                if code == 0 and not is_last:
                    continue  # it had waited long enough and was just ending
                said = f": {last}" if last else ""
                # Whoever runs out of memory is killed; a crash comes again.
                return Failure(
                    f"the process of LiteRT's converter {_ending(code)}{said}", lasting=code != -signal.SIGKILL
                )
        raise AssertionError("unreachable")

    def close(self) -> None:
        """End the process, if there is one; it is started again when it is needed."""
        with self._lock:
            self._forget_of_other()
            if self._process is not None:
                self._process.kill()
                self._end()

    def _ask(self, job: Job, timeout: float | None, late: threading.Event) -> Made | Failure | None:
        """Return the answer, or None if the process has ended."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None

        def stop() -> None:
            late.set()
            process.kill()

        timer = None if timeout is None else threading.Timer(timeout, stop)
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            process.stdin.write(pickle.dumps(sys.path) + pickle.dumps(job))
            process.stdin.flush()
            answer: Made | Failure = pickle.load(process.stdout)
            return answer
        except (EOFError, OSError, pickle.UnpicklingError):
            return None
        except BaseException:  # Ctrl-C, say: what it would answer is of no use to the next job
            process.kill()
            self._end()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._process is None:
            command = [sys.executable, "-m", "tfgraft.plugins.litert.child"]
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in _end)
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
            )
        return self._process

    def _end(self) -> tuple[int, str]:
        """Wait for the process, which has ended; return its code and the last line that it wrote."""
        process, self._process = self._process, None
        assert process is not None
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):  # what was not written yet cannot be any more
                pipe.close()
        code = process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        self._errors.close()
        return code, lines[-1][:300] if lines else ""

    def _forget_of_other(self) -> None:
        """Leave the process to the one that started it, after a fork."""
        if self._owner != os.getpid():
            self._process, self._owner = None, os.getpid()


@functools.cache
def converter_process() -> ConverterProcess:
    """Return the one of this process."""
    return ConverterProcess()


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    names = {s.value: s.name for s in signal.Signals}
    return f"was killed by {names.get(-code, f'signal {-code}')}"
