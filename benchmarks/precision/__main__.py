"""`python -m benchmarks.precision [COMMAND ...] [--only A,B]`: measure, each model in a process of its own.

Commands are the tables; a row that is measured again takes the place of the one that was there. `page` writes the page
of what has been measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
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


def main() -> None:
    """Measure, and write the page."""
    commands = (*TABLES, "page")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision", description=__doc__)
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=f"of {', '.join(commands)}; default all")
    parser.add_argument("--only", metavar="A,B", help="these models only")
    parser.add_argument("--page", type=Path, default=Path("docs/precision_results.md"), help="(%(default)s)")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds that a row may take (%(default)s)")
    parser.add_argument("--memory", type=float, default=6, help="gigabytes that a row may take (%(default)s)")
    options = parser.parse_args()
    if unknown := set(options.commands) - set(commands):
        parser.error(f"there is no command {', '.join(sorted(unknown))}; there are {', '.join(commands)}")
    known = {key.partition(" ")[0] for rows in TABLES.values() for key in rows}
    only = set(options.only.split(",")) if options.only else known
    if unknown := only - known:
        parser.error(f"no model is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    limits = Limits(options.timeout, options.memory)
    for command in options.commands or TABLES:
        for key, arguments in TABLES.get(command, {}).items():
            if key.partition(" ")[0] in only:
                _measure(command, key, arguments, limits, lambda text: print(text, flush=True))
    write(options.page)


def _measure(command: str, key: str, arguments: Mapping[str, Any], limits: Limits, say: Callable[[str], None]) -> None:
    row = isolated(f"benchmarks.precision.{command}", key.replace(" ", "."), limits, **arguments)
    keep(command, key, row)
    say(f"{command} {key}: {row}")


if __name__ == "__main__":
    main()
