"""Checks that are printed as they are made, a log that is kept, and the GPUs to check on."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf


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


def growing_gpus() -> list[Any]:
    """Return the GPUs that TensorFlow sees, told to take their memory as it needs it; say so if there is none."""
    devices: list[Any] = tf.config.list_physical_devices("GPU")
    if not devices:
        print("TensorFlow sees no GPU here.")
    for each in devices:
        tf.config.experimental.set_memory_growth(each, True)
    return devices
