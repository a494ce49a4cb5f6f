"""`python -m benchmarks.precision.worker MODULE RESULT < ARGUMENTS`: run its `measure`, keep the result.

The arguments and the result are JSON; see `isolated`, which runs this.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any

from benchmarks.zoo.process import Limits, run_process

WORK = Path(".zoo/precision")


def isolated(module: str, label: str, seconds: float = 600, gigabytes: float = 10, **arguments: Any) -> dict[str, Any]:
    """Return what `module.measure(**arguments)` returns in a process of its own, or {"status": ..., "why": ...}."""
    WORK.mkdir(parents=True, exist_ok=True)
    files = WORK.absolute() / f"{module.rpartition('.')[2]}.{label}"
    worker = ("benchmarks.precision.worker", module)
    return run_process(worker, json.dumps(arguments), files, Limits(seconds, gigabytes))


def keep(table: str, rows: dict[str, Any]) -> None:
    """Write the rows of one table, for the page."""
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / f"{table}.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")


def kept(table: str) -> dict[str, Any]:
    """Return the rows of a table that was measured before; empty if it was not."""
    path = WORK / f"{table}.json"
    rows: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return rows


def main() -> None:
    """Run in this process; an exception becomes a result with its text."""
    module, result_path = sys.argv[1:]
    try:
        result = {"status": "ok", **importlib.import_module(module).measure(**json.loads(sys.stdin.read()))}
    except Exception as error:
        traceback.print_exc()
        lines = str(error).strip().splitlines() or [""]
        result = {"status": "failed", "why": f"{type(error).__name__}: {lines[0][:300]}"}
    Path(result_path).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
