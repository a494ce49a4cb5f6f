"""Tables out of what `benchmarks.gpu.speed --json` has written: milliseconds by batch.

python -m benchmarks.gpu.page FILE ... prints a Markdown table for each file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def table(found: dict[str, Any]) -> str:
    """Return the table of one net: a row for each contender, the largest error last."""
    rows: dict[str, dict[int, dict[str, Any]]] = {}
    for row in found["rows"]:
        rows.setdefault(row["name"], {})[row["batch"]] = row
    batches = sorted({row["batch"] for row in found["rows"]})
    lines = [
        "| " + " | ".join([found["net"], *(f"batch {batch}" for batch in batches), "error"]) + " |",
        "| --- |" + " ---: |" * (len(batches) + 1),
    ]
    for name, row in rows.items():
        times = [f"{row[batch]['ms']:.2f}" if batch in row else "" for batch in batches]
        errors = [each["error"] for each in row.values() if each.get("error") is not None]
        lines.append("| " + " | ".join([name, *times, f"{max(errors):.0e}" if errors else ""]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    for file in sys.argv[1:]:
        print(table(json.loads(Path(file).read_text(encoding="utf-8"))) + "\n")


if __name__ == "__main__":
    main()
