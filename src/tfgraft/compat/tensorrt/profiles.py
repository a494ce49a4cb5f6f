"""Profiles out of shapes that were seen, by TF-TRT's strategies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfgraft.compat.tensorrt.params import (
    PROFILE_STRATEGY_IMPLICIT_BATCH_MODE_COMPATIBLE,
    PROFILE_STRATEGY_OPTIMAL,
    PROFILE_STRATEGY_RANGE,
)

Dims = tuple[int, ...]
Shapes = Mapping[str, Dims]
"""The shape of each input in one run, by tensor name."""
Profile = dict[str, tuple[Dims, Dims, Dims]]
"""(Minimum, optimum, maximum) shape of each input, by tensor name; empty for whatever shapes there may be."""


def options_by(strategy: str, seen: Sequence[Shapes]) -> dict[str, Any]:
    """Return the options of an engine that a strategy makes of the shapes of several runs.

    Range makes one profile for all of them, Optimal one for each that takes it alone, Range+Optimal makes both, and
    ImplicitBatchModeCompatible one for each that also takes smaller batches.

    Args:
        strategy: one of `supported_profile_strategies()`.
        seen: shapes, at least one; shapes seen again make no profile more.
    """
    if strategy == PROFILE_STRATEGY_RANGE:
        return {"observed": tuple(seen)}
    distinct = _distinct(seen)
    if strategy == PROFILE_STRATEGY_IMPLICIT_BATCH_MODE_COMPATIBLE:
        return {"profiles": tuple(map(_smaller_batches, distinct))}
    optimal = tuple({name: (dims, dims, dims) for name, dims in shapes.items()} for shapes in distinct)
    if strategy == PROFILE_STRATEGY_OPTIMAL:
        return {"profiles": optimal}
    return {"profiles": optimal, "observed": tuple(seen)}


def cached_profiles(seen: Sequence[Shapes], limit: int) -> tuple[list[Profile], list[Shapes]]:
    """Return what TF-TRT's cache of static engines holds after some runs: a profile each, and the shapes left out.

    An engine takes its own batch and smaller ones, so shapes that one takes already need none of their own.

    Args:
        seen: the shapes of the runs, in order.
        limit: how many engines the cache holds.
    """
    profiles: list[Profile] = []
    left: list[Shapes] = []
    for shapes in _distinct(seen):
        if any(_takes(profile, shapes) for profile in profiles):
            continue
        if len(profiles) < limit:
            profiles.append(_smaller_batches(shapes))
        else:
            left.append(shapes)
    return profiles, left


def batch_profiles(shapes: Mapping[str, Sequence[int]], batches: Sequence[int]) -> list[Profile]:
    """Return a profile for each of some batch sizes, which takes smaller batches too.

    Args:
        shapes: the shapes of the inputs; the first dimension is that of the batch.
        batches: the sizes.
    """
    return [_smaller_batches({name: (batch, *dims[1:]) for name, dims in shapes.items()}) for batch in sorted(batches)]


def _distinct(seen: Sequence[Shapes]) -> list[Shapes]:
    return list({tuple(sorted(shapes.items())): shapes for shapes in seen}.values())


def _smaller_batches(shapes: Shapes) -> Profile:
    return {name: ((min(1, dims[0]), *dims[1:]) if dims else (), dims, dims) for name, dims in shapes.items()}


def _takes(profile: Profile, shapes: Shapes) -> bool:
    return all(
        len(dims) == len(most) and all(a <= d <= b for a, d, b in zip(least, dims, most, strict=True))
        for (least, _, most), dims in ((profile[name], dims) for name, dims in shapes.items())
    )
