"""`python -m benchmarks.precision.worker MODULE RESULT < ARGUMENTS`: run its `measure`, keep the result.

The arguments and the result are JSON; see `isolated`, which runs this. `processors` among the arguments are what the
process keeps to.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from benchmarks.zoo.process import Limits, run_process
from benchmarks.zoo.results import processor

WORK = Path(".zoo/precision")


def isolated(module: str, label: str, limits: Limits, **arguments: Any) -> dict[str, Any]:
    """Return what `module.measure(**arguments)` returns in a process of its own, or {"status": ..., "why": ...}."""
    WORK.mkdir(parents=True, exist_ok=True)
    files = WORK.absolute() / f"{module.rpartition('.')[2]}.{label}"
    worker = ("benchmarks.precision.worker", module)
    return run_process(worker, json.dumps(arguments), files, limits)


def keep(table: str, key: str, row: dict[str, Any]) -> None:
    """Write one row of a table, for the page; a file that is there is whole at any time."""
    WORK.mkdir(parents=True, exist_ok=True)
    partial = WORK / f"{table}.partial"
    partial.write_text(json.dumps({**kept(table), key: row}, indent=1), encoding="utf-8")
    partial.replace(WORK / f"{table}.json")


def kept(table: str) -> dict[str, Any]:
    """Return the rows of a table that were measured; empty if none was."""
    path = WORK / f"{table}.json"
    rows: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return rows


def main() -> None:
    """Run in this process; an exception becomes a result with its text."""
    module, result_path = sys.argv[1:]
    try:
        arguments = json.loads(sys.stdin.read())
        if processors := arguments.pop("processors", None):
            os.sched_setaffinity(0, processors)
        row = importlib.import_module(module).measure(**arguments)
        result = {"status": "ok", **row, "processor": processor()}
    except Exception as error:
        traceback.print_exc()
        lines = str(error).strip().splitlines() or [""]
        result = {"status": "failed", "why": f"{type(error).__name__}: {lines[0][:300]}"}
    Path(result_path).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
