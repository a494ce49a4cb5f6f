"""The results: one row a model and batch, kept in a JSON file that is whole after every stage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Measured = dict[str, Any]
"""A row: "prepare", "made" (by contender) and "timing", each what a stage has returned."""


@dataclass
class Store:
    """The rows that were measured, by `Row.key`."""

    path: Path
    rows: dict[str, Measured] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> Store:
        """Read what is there; nothing, if there is no file."""
        return cls(path, json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {})

    def put(self, key: str, part: str, result: Any) -> None:
        """Set a part of a row and write the file, by a rename, so that a killed run leaves a whole one."""
        self.rows.setdefault(key, {})[part] = result
        self._write()

    def made(self, key: str, contender: str, result: Any) -> None:
        """Set what became of a contender; the row's times do not stand any longer."""
        row = self.rows.setdefault(key, {})
        row.setdefault("made", {})[contender] = result
        row.pop("timing", None)
        self._write()

    def forget(self, key: str, contenders: Sequence[str]) -> None:
        """Drop what became of contenders, and the times."""
        row = self.rows.get(key, {})
        row.pop("timing", None)
        for name in contenders:
            row.get("made", {}).pop(name, None)
        self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self.rows, indent=1) + "\n", encoding="utf-8")
        partial.replace(self.path)
