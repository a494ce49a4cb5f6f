"""Run one stage in a process of its own, within a time and a memory limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
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


@dataclass(frozen=True)
class Limits:
    """What a stage may take: seconds, and gigabytes of resident memory."""

    seconds: float = 600
    gigabytes: float = 12


def run_stage(stage: str, job: Job, limits: Limits) -> dict[str, Any]:
    """Run a stage and return its result; "status" is "ok", "failed", "crashed", "timeout" or "memory".

    Whatever the stage wrote to its output is in WORK/NAME.STAGE.log.
    """
    result_path = job.work / f"{job.name}.{stage}.result"
    result_path.unlink(missing_ok=True)
    with (job.work / f"{job.name}.{stage}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.zoo.worker", stage, str(result_path)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=_environment(stage),
            cwd=ROOT,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(job.to_json())
        process.stdin.close()
        stopped = _watch(process, limits)
    if stopped is not None:
        return stopped
    result = _read(result_path)
    if result is None:
        return {"status": "crashed", "why": _ending(process.returncode)}
    return result


def _environment(stage: str) -> dict[str, str]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
    if stage in WITHOUT_ONEDNN:
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
