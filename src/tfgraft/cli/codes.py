"""Exit codes of the commands."""

from __future__ import annotations

OK, FAILED, USAGE, DIFFERS, INTERRUPTED = 0, 1, 2, 3, 130
