"""`python -m benchmarks.zoo.worker STAGE RESULT < JOB`: do one stage in this process and write its result as JSON.

A stage is a module of `benchmarks.zoo.stages`, or another one by its full name.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from benchmarks.zoo.stages.job import Job


def main() -> None:
    """Run the stage; an exception becomes a result with its text, a crash leaves no result."""
    stage, result_path = sys.argv[1:]
    job = Job.from_json(sys.stdin.read())
    try:
        module = stage if "." in stage else f"benchmarks.zoo.stages.{stage}"
        result = importlib.import_module(module).run(job)
        result["status"] = "ok"
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        result = {"status": "failed", "why": f"{type(error).__name__}: {lines[0][:300]}"}
    Path(result_path).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
