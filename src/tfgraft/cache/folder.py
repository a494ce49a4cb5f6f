"""Where a user's cache is, by the platform's own rule."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def user_folder() -> Path:
    """Return the folder of the user's cache; it need not exist.

    `$XDG_CACHE_HOME/tfgraft` or `~/.cache/tfgraft`; on macOS `~/Library/Caches/tfgraft`, on Windows
    `%LOCALAPPDATA%\\tfgraft\\Cache`. The two variables are the platforms' own; tfgraft has none.
    """
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
        return (Path(base) if base else Path.home() / "AppData" / "Local") / "tfgraft" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tfgraft"
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification says that a relative path is to be ignored.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "tfgraft"
