"""Building in a process of its own: it may abort, crash or hang, and the user's process lives on."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfgraft.plugins.protocol import BuildError, OptionError
from tfgraft.plugins.tensorrt.options import TensorRtOptions
from tfgraft.plugins.tensorrt.plan import Plan, Source, make_plan
from tfgraft.plugins.tensorrt.profiles import Profile

_KILLED = -9
"""How a process ends that the system has stopped because memory ran out."""
_JOB, _RESULT, _ERRORS = "job.pickle", "result.pickle", "stderr.txt"


@dataclass(frozen=True)
class _Failure:
    """A BuildError or OptionError as it comes back; exceptions with several arguments do not pickle by themselves."""

    message: str
    node: str | None = None
    code: str = ""
    others: tuple[tuple[str, str], ...] = ()
    lasting: bool = True

    def error(self) -> Exception:
        if not self.code:
            return OptionError(self.message)
        return BuildError(self.message, self.node, self.code, dict(self.others), self.lasting)


def make_plan_isolated(source: Source, profiles: Sequence[Profile], options: TensorRtOptions) -> Plan:
    """Do what `make_plan` does, in a new process.

    Raises:
        BuildError: as `make_plan`, or the process died, took too long, or cannot be given the job.
        OptionError: as `make_plan`.
    """
    inside = replace(options, isolate=False, timeout=None)
    try:
        # The child cannot read the job before it has the parent's paths, so these come first, on their own.
        job = pickle.dumps(sys.path) + pickle.dumps((source, tuple(profiles), inside))
    except Exception as error:  # pickle raises several kinds
        raise BuildError(
            f"it cannot be built in a process of its own, because a converter cannot be pickled: {error}; put "
            "converters in a module, or set isolate=False"
        ) from error
    with tempfile.TemporaryDirectory(prefix="tfgraft-") as folder:
        where = Path(folder)
        (where / _JOB).write_bytes(job)
        with open(where / _ERRORS, "wb") as errors:
            code = _run(where, errors, options.timeout)
        result = where / _RESULT
        if code == 0 and result.is_file():
            answer = pickle.loads(result.read_bytes())
            if isinstance(answer, Plan):
                return answer
            raise answer.error()
        last = (where / _ERRORS).read_text(errors="replace").strip().rpartition("\n")[2]
    lasting = code != _KILLED
    message = f"the process that built it {_end(code)}{': ' + last if last else ''}"
    raise BuildError(message, None, "engine-rejected", lasting=lasting)


def _run(where: Path, errors: Any, timeout: float | None) -> int:
    command = [sys.executable, "-m", "tfgraft.plugins.tensorrt.child", str(where / _JOB), str(where / _RESULT)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors) as process:
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise BuildError(f"TensorRT has not built it within {timeout} seconds", lasting=False) from None
        finally:
            process.kill()


def _end(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    names = {s.value: s.name for s in signal.Signals}
    return f"was killed by {names.get(-code, f'signal {-code}')}"


def work(job: str, result: str) -> None:
    """Build what a job file says and write the plan, or why there is none, to the result file."""
    with open(job, "rb") as file:
        sys.path[:] = pickle.load(file)
        source, profiles, options = pickle.load(file)
    answer: Any
    try:
        answer = make_plan(source, profiles, options)
    except BuildError as error:
        answer = _Failure(str(error), error.node, error.code, tuple(error.others.items()), error.lasting)
    except OptionError as error:
        answer = _Failure(str(error))
    Path(result).write_bytes(pickle.dumps(answer))
