"""Checks that the options of several engines share; see `EngineBuilder.check_options`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any


def check_known(engine: str, kind: Any, options: Mapping[str, Any]) -> None:
    """Raise ValueError for the first option that a dataclass of options has no field for."""
    known = [f.name for f in fields(kind)]
    for name in options:
        if name not in known:
            raise ValueError(f"engine {engine} has no option {name!r}; it has {', '.join(known)}")


def is_whole(value: Any, least: int) -> bool:
    """Tell whether a value is a whole number, no boolean, of at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
