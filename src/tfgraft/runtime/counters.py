"""Counters of engine nodes: how often each ran, how often the native segment stepped in and why."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

_CAUSES_PER_NODE = 16
"""Causes kept apart for one node; the rest count as `OTHER`, so that messages with changing numbers stay bounded."""
OTHER = "other causes"


@dataclass(frozen=True)
class EngineCounters:
    """What happened to one engine node, over all sessions and functions of the process that hold it.

    Args:
        calls: times that TensorFlow ran the node, however it went.
        fallbacks: calls that the native segment answered.
        loads: times that this node made its engine load (nodes with equal fingerprints share one load).
        causes: for each cause of fallbacks, how many.
    """

    calls: int = 0
    fallbacks: int = 0
    loads: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Counters:
    """A snapshot of the counters by engine node name; the totals over all nodes are properties."""

    engines: Mapping[str, EngineCounters]

    @property
    def calls(self) -> int:
        """Calls of all engine nodes."""
        return sum(e.calls for e in self.engines.values())

    @property
    def fallbacks(self) -> int:
        """Calls of all engine nodes that the native segment answered."""
        return sum(e.fallbacks for e in self.engines.values())

    @property
    def loads(self) -> int:
        """Engines loaded."""
        return sum(e.loads for e in self.engines.values())


class NodeCounters:
    """The live counters of one node name.

    `tick` is the one thing that the hot path touches: `itertools.count` advances atomically in C, where `+= 1` on an
    attribute needs a lock to be exact. Reading it advances it too, so readers count their own readings.
    """

    __slots__ = ("_base", "_lock", "causes", "fallbacks", "loads", "tick")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Set everything to zero."""
        with self._lock:
            if not hasattr(self, "tick"):
                self.tick = itertools.count().__next__
                self._base = 0
            else:
                self._base = self.tick() + 1
            self.fallbacks = 0
            self.loads = 0
            self.causes: dict[str, int] = {}

    def fell_back(self, cause: str) -> None:
        """Count a call that the segment answered."""
        with self._lock:
            if cause not in self.causes and len(self.causes) >= _CAUSES_PER_NODE:
                cause = OTHER
            self.causes[cause] = self.causes.get(cause, 0) + 1
            self.fallbacks += 1

    def loaded(self) -> None:
        """Count a load."""
        with self._lock:
            self.loads += 1

    def snapshot(self) -> EngineCounters:
        """Return the values now."""
        with self._lock:
            calls = self.tick() - self._base
            self._base += 1
            return EngineCounters(calls, self.fallbacks, self.loads, dict(self.causes))


class CounterTable:
    """The counters of all node names."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeCounters] = {}
        self._lock = threading.Lock()

    def node(self, name: str) -> NodeCounters:
        """Return the counters of a node name, made on first use."""
        with self._lock:
            return self._nodes.setdefault(name, NodeCounters())

    def snapshot(self) -> Counters:
        """Return the values of all nodes, by name."""
        with self._lock:
            nodes = sorted(self._nodes.items())
        return Counters({name: node.snapshot() for name, node in nodes})

    def reset(self) -> None:
        """Set everything to zero; the names stay."""
        with self._lock:
            nodes = list(self._nodes.values())
        for node in nodes:
            node.reset()
