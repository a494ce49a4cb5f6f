"""Checks that are printed as they are made, and a log that is kept."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field


@dataclass
class Checks:
    """Prints each check and counts those that failed."""

    failed: int = 0

    def check(self, what: str, holds: bool, found: object = "") -> None:
        """Print whether something holds, and what was found."""
        self.failed += not holds
        detail = f": {found}" if str(found) else ""
        print(f"{'ok  ' if holds else 'FAIL'}  {what}{detail}", flush=True)


@dataclass
class Warnings(logging.Handler):
    """The warnings of tfgraft since it was attached."""

    messages: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(logging.WARNING)
        logging.getLogger("tfgraft").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.messages.append(record.getMessage())

    def __hash__(self) -> int:
        return id(self)
