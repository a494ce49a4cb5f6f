"""Run one stage in a process of its own, within a time and a memory limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.zoo.stages.job import Job
from benchmarks.zoo.stages.memory import resident_bytes

# Stages whose TensorFlow runs with oneDNN off. It is read when TensorFlow loads, hence set for the process.
WITHOUT_ONEDNN = frozenset({"reference", "graft"})
POLL_S = 0.05
# `benchmarks` is not installed: it is found from the repository's root.
ROOT = Path(__file__).parents[2]


def without_root(text: str) -> str:
    """Return a text with the paths in it told from the repository's root, as pages have them."""
    return text.replace(f"{ROOT}/", "")


@dataclass(frozen=True)
class Limits:
    """What a stage may take: seconds, and gigabytes of resident memory."""

    seconds: float = 600
    gigabytes: float = 12


def run_stage(stage: str, job: Job, limits: Limits) -> dict[str, Any]:
    """Run a stage and return its result; "status" is "ok", "failed", "crashed", "timeout" or "memory".

    Whatever the stage wrote to its output is in WORK/NAME.STAGE.log.
    """
    module = ("benchmarks.zoo.worker", stage)
    return run_process(module, job.to_json(), job.work / f"{job.name}.{stage}", limits, stage in WITHOUT_ONEDNN)


def run_process(
    module: Sequence[str], text: str, files: Path, limits: Limits, without_onednn: bool = False
) -> dict[str, Any]:
    """Run a module that reads a text and writes a result as JSON into the file that it is given last.

    Args:
        module: its name and first arguments.
        text: what it reads from its standard input.
        files: where the result and the log go, FILES.result and FILES.log.
        limits: what it may take.
        without_onednn: whether its TensorFlow runs with oneDNN off.

    Returns:
        The result, or {"status": "crashed", "timeout" or "memory", "why": ...}.
    """
    result_path = files.with_name(f"{files.name}.result")
    result_path.unlink(missing_ok=True)
    with files.with_name(f"{files.name}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *module, str(result_path)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=_environment(without_onednn),
            cwd=ROOT,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.close()
        stopped = _watch(process, limits)
    if stopped is not None:
        return stopped
    result = _read(result_path)
    if result is None:
        return {"status": "crashed", "why": _ending(process.returncode)}
    return result


def _environment(without_onednn: bool) -> dict[str, str]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
    if without_onednn:
        environment["TF_ENABLE_ONEDNN_OPTS"] = "0"
    return environment


def _watch(process: subprocess.Popen[str], limits: Limits) -> dict[str, Any] | None:
    """Wait for the process; if it passes a limit, kill it and say so."""
    start = time.monotonic()
    while process.poll() is None:
        if time.monotonic() - start > limits.seconds:
            process.kill()
            process.wait()
            return {"status": "timeout", "why": f"took more than {limits.seconds:.0f} s"}
        if (resident_bytes(process.pid) or 0) > limits.gigabytes * 1e9:
            process.kill()
            process.wait()
            return {"status": "memory", "why": f"took more than {limits.gigabytes:.0f} GB"}
        time.sleep(POLL_S)
    return None


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    return result


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code} and no result"
