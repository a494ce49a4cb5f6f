"""Instruments: what watches a pipeline from outside, before and after each pass."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import to_graph_def
from tfgraft.passes.base import Pass, PassContext, PassResult


class Instrument(Protocol):
    """Called around each pass of a pipeline."""

    def before(self, step: Pass, graph: Graph, ctx: PassContext) -> None:
        """Called before a pass runs."""
        ...

    def after(self, step: Pass, graph: Graph, ctx: PassContext, result: PassResult) -> None:
        """Called after a pass has run; may raise."""
        ...


@dataclass(frozen=True)
class Verify:
    """Checks the graph and the function bodies that were read, after each pass that changed something."""

    def before(self, step: Pass, graph: Graph, ctx: PassContext) -> None:
        """Nothing: the graph was checked when it was loaded or after the pass before."""

    def after(self, step: Pass, graph: Graph, ctx: PassContext, result: PassResult) -> None:
        """Raise ValueError with what is wrong, if anything is."""
        if not result.changed:
            return
        for one in (graph, *graph.library.bodies()):
            if problems := one.verify():
                raise ValueError(f"it left {one!r} broken: {'; '.join(problems[:3])}")


@dataclass
class Timing:
    """Measures each pass; `seconds` holds (pass, wall seconds) in order, also in `ctx.results["timing"]`."""

    seconds: list[tuple[str, float]] = field(default_factory=list)
    _start: float = 0.0

    def before(self, step: Pass, graph: Graph, ctx: PassContext) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def after(self, step: Pass, graph: Graph, ctx: PassContext, result: PassResult) -> None:
        """Stop the clock."""
        self.seconds.append((step.name, time.perf_counter() - self._start))
        ctx.results["timing"] = tuple(self.seconds)


@dataclass
class Dump:
    """Writes the graph as a `GraphDef` before the first pass and after each one: `00_input.pb`, `01_prune.pb`, ..."""

    folder: Path
    _count: int = 0

    def before(self, step: Pass, graph: Graph, ctx: PassContext) -> None:
        """Write the graph that the first pass gets."""
        if self._count == 0:
            self._write(graph, "input")

    def after(self, step: Pass, graph: Graph, ctx: PassContext, result: PassResult) -> None:
        """Write what the pass left."""
        self._write(graph, step.name)

    def _write(self, graph: Graph, name: str) -> None:
        folder = Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self._count:02d}_{name}.pb").write_bytes(to_graph_def(graph).SerializeToString())
        self._count += 1
