"""`python -m benchmarks.precision [COMMAND ...] [--only A,B]`: measure, each model in a process of its own.

Commands are the tables; a row that is measured again takes the place of the one that was there. `page` writes the page
of what has been measured, which it does too if no command is given. Each of several jobs has two processors of its own.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import Queue
from typing import Any

from benchmarks.precision import rtx, speed, zoo
from benchmarks.precision.decisions import DECISIONS
from benchmarks.precision.page import write
from benchmarks.precision.worker import isolated, keep
from benchmarks.zoo.models import MODELS
from benchmarks.zoo.process import Limits

TABLES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "digits": {"digits": {}},
    "vision": {name: {"name": name} for name in DECISIONS},
    "rtx": {name: {"name": name} for name in rtx.MODELS},
    "zoo": {
        f"{name} {precision}": {"name": name, "precision": precision, "engine": engine}
        for name in MODELS
        for precision, engine in zoo.COLUMNS.items()
    },
    "speed": {
        f"{name} {batch}": {"name": name, "batch": batch}
        for name in speed.MODELS
        for batch in ((1, 8) if name in speed.BATCHED else (1,))
    },
}
"""The rows of each table: their names, which begin with the model's, and what is measured."""
_EACH = 2
"""Processors of each of several jobs."""


def main() -> None:
    """Measure, and write the page."""
    commands = (*TABLES, "page")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision", description=__doc__)
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=f"of {', '.join(commands)}; default all")
    parser.add_argument("--only", metavar="A,B", help="these models only")
    parser.add_argument("--page", type=Path, default=Path("docs/precision_results.md"), help="(%(default)s)")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds that a row may take (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="rows measured at once (%(default)s)")
    parser.add_argument("--memory", type=float, default=6, help="gigabytes that a row may take (%(default)s)")
    options = parser.parse_args()
    if unknown := set(options.commands) - set(commands):
        parser.error(f"there is no command {', '.join(sorted(unknown))}; there are {', '.join(commands)}")
    known = {key.partition(" ")[0] for rows in TABLES.values() for key in rows}
    only = set(options.only.split(",")) if options.only else known
    if unknown := only - known:
        parser.error(f"no model is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    available = sorted(os.sched_getaffinity(0))
    if options.jobs > 1 and options.jobs > len(available) // _EACH:
        parser.error(f"{options.jobs} jobs need {options.jobs * _EACH} processors; there are {len(available)}")
    rows = [
        (command, key, arguments)
        for command in options.commands or TABLES
        for key, arguments in TABLES.get(command, {}).items()
        if key.partition(" ")[0] in only
    ]
    for command, key, row in _measured(rows, options.jobs, available, Limits(options.timeout, options.memory)):
        keep(command, key, row)
        print(f"{command} {key}: {row}", flush=True)
    if not options.commands or "page" in options.commands:
        write(options.page)


def _measured(
    rows: list[tuple[str, str, Mapping[str, Any]]], jobs: int, available: list[int], limits: Limits
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield rows as they are done; with several jobs, each runs on the next free pair of processors."""
    free: Queue[list[int] | None] = Queue()
    for i in range(jobs):
        free.put(available[_EACH * i : _EACH * (i + 1)] if jobs > 1 else None)

    def measure(command: str, key: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        processors = free.get()
        try:
            label = key.replace(" ", ".")
            return isolated(f"benchmarks.precision.{command}", label, limits, processors=processors, **arguments)
        finally:
            free.put(processors)

    with ThreadPoolExecutor(jobs) as pool:
        waiting: dict[Future[dict[str, Any]], tuple[str, str]] = {
            pool.submit(measure, *row): (row[0], row[1]) for row in rows
        }
        for future in as_completed(waiting):
            yield *waiting[future], future.result()


if __name__ == "__main__":
    main()
