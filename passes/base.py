"""What a pass is: its protocol, its context, its result, and the error of one that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from tfgraft.cache.cache import EngineCache
from tfgraft.graph.graph import Graph
from tfgraft.plugins.int8_rules import Int8Rules, int8_rules
from tfgraft.registry.registry import Registry


@dataclass(frozen=True)
class Diagnostic:
    """Something a pass has to say about a node (or about the whole graph, if `node` is empty).

    Args:
        severity: "info", "warning" or "error".
        code: a stable code; refusals use those of `tfgraft.registry.support.CODES`.
        message: one or two sentences for people.
        node: the node's name.
        function: the function whose body the node is in; empty for the main graph.
        origin: the pass that said it.
        hint: what the user could do.
    """

    severity: str
    code: str
    message: str
    node: str = ""
    function: str = ""
    origin: str = ""
    hint: str = ""


Progress = Callable[[str, int, int], None]
"""`progress(what, done, total)` is called while long work goes on."""


def _no_progress(what: str, done: int, total: int) -> None:
    return None


@dataclass
class PassContext:
    """What the passes of one run share.

    Args:
        registry: converters, decompositions and engines; frozen while the pipeline runs.
        engine: the name of the engine builder that clusters are for.
        options: options of the engine builder.
        others: the names of the builders that may take its place, where several are tried.
        progress: told about long work.
        strict: whether engine nodes fail instead of falling back.
        cache: where engines that were built before are found; None for nowhere.
        executor: builds several engines at once; None: one after the other, in this process.
        diagnostics: what passes had to say, in order.
        results: what passes hand on to later ones and to the report (plan, built engines, ...), by name.
        logger: for developers; users get diagnostics.
    """

    registry: Registry
    engine: str = "onnxruntime"
    options: Mapping[str, Any] = field(default_factory=dict)
    others: Sequence[str] = ()
    progress: Progress = _no_progress
    strict: bool = False
    cache: EngineCache | None = None
    executor: Executor | None = None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)
    logger: logging.Logger = field(default_factory=lambda: logging.getLogger("tfgraft"))

    def int8_rules(self) -> Int8Rules:
        """Return where the engines want tensors quantized."""
        engines = self.registry.engines
        return int8_rules(engines[self.engine], [engines[name] for name in self.others])

    def graphs(self, graph: Graph) -> list[Graph]:
        """Return the main graph and the bodies of the functions that it reaches, in a fixed order.

        Bodies that cannot be read as graphs, and those that XLA must compile, are left out: they stay native.
        """
        compiled = graph.library.compiled(graph)
        names = (name for name in graph.library.reachable(graph) if name not in compiled)
        bodies = (graph.library.body(name) for name in names)
        return [graph, *(b for b in bodies if b is not None)]

    def rewrite(self, graph: Graph, change: Callable[[Graph], int]) -> int:
        """Apply a change to all of `graphs`, and keep what it changes in functions; return how much it changed in all.

        Args:
            change: changes one graph, and returns how many places it changed.
        """
        total = 0
        for one in self.graphs(graph):
            count = change(one)
            if count and one.name:
                one.library.write_back(one)
            total += count
        return total

    def say(self, origin: str, severity: str, code: str, message: str, **where: str) -> None:
        """Note a diagnostic."""
        self.diagnostics.append(Diagnostic(severity, code, message, origin=origin, **where))


@dataclass(frozen=True)
class PassResult:
    """What a pass did: whether it changed the graph, and a line about it.

    A pipeline sets `changed` where it sees an edit, whatever the pass said.
    """

    changed: bool = False
    summary: str = ""


@runtime_checkable
class Pass(Protocol):
    """One step that analyses or rewrites a graph: a frozen dataclass whose fields are its options."""

    @property
    def name(self) -> str:
        """The name by which pipelines and errors speak of it."""
        ...

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Run on a main graph (its function bodies through `ctx.graphs(graph)`)."""
        ...


class NodeError(Exception):
    """Raised by a pass about one node; the pipeline turns it into a `PassError` that names the node."""

    def __init__(self, node: str, message: str) -> None:
        super().__init__(message)
        self.node = node


class PassError(RuntimeError):
    """A pass failed.

    Attributes:
        failed: the pass's name.
        node: the node it was at, if known.
        before: the passes that had run.
        dump: the folder with the graph before the pass, if a `Dump` instrument was there.
    """

    def __init__(self, failed: str, reason: str, before: tuple[str, ...], node: str = "", dump: str = "") -> None:
        at = f" at node {node!r}" if node else ""
        after = f", after {', '.join(before)}" if before else ""
        where = f"; the graph before it is in {dump}" if dump else ""
        super().__init__(f"pass {failed!r} failed{at}{after}: {reason}{where}")
        self.failed, self.node, self.before, self.dump = failed, node, before, dump
