"""`python -m benchmarks.precision [COMMAND ...] [--only A,B]`: measure, each model in a process of its own."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.precision import rtx, speed, zoo
from benchmarks.precision.decisions import DECISIONS
from benchmarks.precision.page import write
from benchmarks.precision.worker import isolated, keep, kept
from benchmarks.zoo.models import MODELS

TABLES = {
    "digits": ("digits",),
    "vision": tuple(DECISIONS),
    "speed": speed.MODELS,
    "rtx": rtx.MODELS,
    "zoo": tuple(MODELS),
}
"""The models of each table."""


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = (*TABLES, "page")
    parser.add_argument(
        "commands", nargs="*", default=list(TABLES), metavar="COMMAND", help=f"of {', '.join(commands)}"
    )
    parser.add_argument("--only", metavar="A,B", help="these models only")
    parser.add_argument("--page", type=Path, default=Path("docs/precision_results.md"), help="(%(default)s)")
    options = parser.parse_args()
    if unknown := set(options.commands) - set(commands):
        parser.error(f"there is no table {', '.join(sorted(unknown))}; there are {', '.join(commands)}")
    only = set(options.only.split(",")) if options.only else None
    for command in (c for c in options.commands if c != "page"):
        rows = kept(command)
        for name in TABLES[command]:
            if only is None or name in only:
                for key, row in _rows(command, name):
                    rows[key] = row
                    keep(command, rows)
                    print(command, key, row, flush=True)
    write(options.page)


def _rows(command: str, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    module = f"benchmarks.precision.{command}"
    if command == "zoo":
        yield (
            name,
            {
                f"{precision} ({engine})": isolated(
                    module, f"{name}.{precision}", name=name, precision=precision, engine=engine
                )
                for precision, engine in zoo.COLUMNS
            },
        )
    elif command == "speed":
        for batch in (1, 8) if name in speed.BATCHED else (1,):
            yield f"{name} b{batch}", isolated(module, name, name=name, batch=batch)
    elif command == "digits":
        yield name, isolated(module, name)
    else:
        yield name, isolated(module, name, seconds=1200, name=name)


if __name__ == "__main__":
    main()
