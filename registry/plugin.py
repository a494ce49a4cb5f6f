"""Plugin: what one entry point of the group `tfgraft.plugins` gives, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tfgraft.registry.entry import Converter, Decomposition

if TYPE_CHECKING:
    from tfgraft.passes.base import Pass
    from tfgraft.plugins.protocol import EngineBuilder


@dataclass(frozen=True)
class Plugin:
    """What a plugin brings.

    Args:
        name: the plugin's name.
        converters: groups of op converters, as the `converter` decorator makes them.
        decompositions: groups of decompositions, as the `decomposition` decorator makes them.
        engines: engine builders.
        passes: pass classes by the name under which users find them.
    """

    name: str
    converters: tuple[tuple[Converter, ...], ...] = ()
    decompositions: tuple[tuple[Decomposition, ...], ...] = ()
    engines: tuple[EngineBuilder, ...] = ()
    passes: Mapping[str, Callable[..., Pass]] = field(default_factory=dict)
