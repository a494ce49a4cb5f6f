"""Errors for people: one sentence that says what was wrong, and a hint that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TfGraftError(Exception):
    """Base of the errors that tfgraft raises on purpose; the CLI prints them as one line, without a traceback.

    Args:
        message: one sentence, with the node, file or option at fault.
        hint: what the user can do; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class ModelError(TfGraftError, ValueError):
    """The model cannot be loaded, or is not what the arguments say it is."""


class SaveError(TfGraftError, ValueError):
    """The result cannot be written in the form that was asked for."""


class FeedError(TfGraftError, ValueError):
    """The values to feed do not fit the model's inputs, or the model cannot run on them."""


class EngineError(TfGraftError, RuntimeError):
    """An engine cannot be loaded or run, and TensorFlow must not run its part of the model instead (`strict=True`)."""


def nearest(name: str, known: Iterable[str], n: int = 3, cutoff: float = 0.5) -> str:
    """Return a hint that names the known names nearest to `name`, or an empty string if none is near.

    Args:
        name: what was asked for.
        known: what there is.
        n: how many to name at most.
        cutoff: how near they must be, 0 to 1.
    """
    found = difflib.get_close_matches(name, list(known), n=n, cutoff=cutoff)
    return f"Did you mean {' or '.join(repr(f) for f in found)}?" if found else ""


def listing(names: Iterable[str], limit: int = 8) -> str:
    """Join names with commas; after `limit` names only their number is told."""
    items = list(names)
    shown = ", ".join(items[:limit])
    return f"{shown} and {len(items) - limit} more" if len(items) > limit else shown
