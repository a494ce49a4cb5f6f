"""What the command writes: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import Any, TextIO

from tqdm import tqdm


@dataclass
class Terminal:
    """Where results, messages and progress go.

    Args:
        as_json: whether results are JSON.
        quiet: whether progress is not shown; it is shown on a terminal only.
        out: where results go; kept here because `sys.stdout` is redirected while libraries work.
    """

    as_json: bool = False
    quiet: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    _bar: Any = None

    def result(self, text: str, data: Any) -> None:
        """Write a result: `data` as JSON if that was asked for, else `text`."""
        self.close()
        self.out.write((json.dumps(data, indent=2, allow_nan=False) if self.as_json else text) + "\n")
        self.out.flush()

    def note(self, text: str) -> None:
        """Write a message for people."""
        self.close()
        self.err.write(f"{text}\n")
        self.err.flush()

    def error(self, message: str, hint: str = "", kind: str = "Error") -> None:
        """Write one clear error line; with JSON also an object with `error` as the result."""
        self.close()
        line = " ".join(f"tfgraft: error: {message} {hint}".split())
        self.err.write(line + "\n")
        self.err.flush()
        if self.as_json:
            self.result("", {"error": {"kind": kind, "message": message, "hint": hint}})

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far long work has come."""
        if self.quiet or not self.err.isatty():
            return
        if self._bar is None or self._bar.desc != what:
            self.close()
            self._bar = tqdm(total=total, file=self.err, leave=False)
            self._bar.desc = what
        self._bar.total = total
        self._bar.n = done
        self._bar.refresh()

    def close(self) -> None:
        """Take the progress bar off the terminal."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
