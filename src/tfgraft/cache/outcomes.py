"""Outcomes of builds in the cache: an engine with its fingerprint, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from tfgraft.cache.cache import EngineCache
from tfgraft.plugins.protocol import BuildError, BuiltEngine

ENGINE, FAILURE = "engine", "failure"


@dataclass(frozen=True)
class Finished:
    """An engine and the fingerprint by which it is shared when loaded."""

    engine: BuiltEngine
    fingerprint: str


Outcome: TypeAlias = Finished | BuildError


def read_outcome(cache: EngineCache, key: str) -> Outcome | None:
    """Return what came of a build, or None if the cache has nothing of it."""
    value: Any = cache.get(key)
    try:
        kind, *rest = value
        if kind == ENGINE:
            engine, fingerprint = rest
            return Finished(engine, fingerprint) if isinstance(engine, BuiltEngine) else None
        message, node, code, others = rest
        return BuildError(message, node, code, others)
    except (TypeError, ValueError):  # None, or something else under this key
        return None


def write_outcome(cache: EngineCache, key: str, outcome: Outcome, about: str) -> None:
    """Keep what came of a build; a failure only if the same build would always fail.

    Finding the node that breaks a build takes several builds, of which most fail: without failures, a second
    conversion would do all of them again.
    """
    if isinstance(outcome, Finished):
        cache.put(key, (ENGINE, outcome.engine, outcome.fingerprint), ENGINE, about)
    elif outcome.lasting:
        cache.put(
            key,
            (FAILURE, str(outcome), outcome.node, outcome.code, dict(outcome.others)),
            FAILURE,
            f"{about}: {outcome}",
        )
