"""tag_support: ask the registry about every node and keep the answer, with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from tfgraft.graph.collector import collector_paused
from tfgraft.graph.dtypes import PLAIN
from tfgraft.graph.facts import Fact
from tfgraft.graph.functions import FUNCTIONAL_CONTROL_FLOW, MUST_COMPILE, called, called_by
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.opdefs import ARG
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import PASS_THROUGH, const_source, node_view, tensor_infos
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.plugins.protocol import converter_sets
from tfgraft.registry.registry import Registry, Resolution
from tfgraft.registry.support import SUPPORTED, Supported, Unsupported

FRAME_OPS = frozenset(
    {"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"}
    | {"RefSwitch", "RefMerge", "RefEnter", "RefExit", "RefNextIteration"}
)
"""TensorFlow 1 control flow: meaningful to TensorFlow's executor only."""


@dataclass(frozen=True)
class Tag:
    """What is known of a node before clusters are formed.

    Args:
        role: "candidate" (an engine can take it), "constant" (copied or handed to whatever reads it) or "native".
        weight: 1 for an op that computes something, 0 for one that only passes its input on.
        resolution: what the registry said, where it was asked.
        refusal: why the node stays native.
    """

    role: str
    weight: int = 1
    resolution: Resolution | None = None
    refusal: Unsupported | None = None


TAG: Fact[Tag] = Fact("tag")
_CONSTANT = Tag("constant", 0)
_PASS = Tag("candidate", 0, Resolution(None, SUPPORTED))


def native(code: str, message: str, culprit: str = "", hint: str = "") -> Tag:
    """Return the tag of a node that stays native, with the reason."""
    return Tag("native", refusal=Unsupported(code, message, culprit, hint))


@dataclass(frozen=True)
class TagSupport:
    """Notes the fact `TAG` of every node, in function bodies too.

    Args:
        denylist: op types, node names, or patterns of node names ("head/*"): these stay native.
    """

    denylist: tuple[str, ...] = ()
    name: ClassVar[str] = "tag_support"

    @collector_paused()
    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Tag; the graph is not changed.

        Raises:
            KeyError: the context names an engine that is not registered.
        """
        sets = sets_of(ctx.registry, ctx.engine, ctx.options)
        counts = {"candidate": 0, "native": 0, "constant": 0}
        graphs = ctx.graphs(graph)
        unused = dict.fromkeys(self.denylist)
        total, done = sum(len(g) for g in graphs), 0
        for one in graphs:
            for node in one:
                entry, inner = self._denied(node.op, node.name), ""
                tag = _tag(one, node, ctx.registry, sets) if entry is None else _PASS
                if entry is None and tag.role == "candidate" and self.denylist:
                    entry, inner = self._denied_inside(one, node)
                if entry is not None:
                    unused.pop(entry, None)
                    what = f"{inner}, in a function that it calls" if inner else "it"
                    tag = native("denylist", f"The denylist names {what} ({entry!r}).", entry)
                one.facts.set(TAG, node.name, tag)
                counts[tag.role] += 1
                done += 1
                if done % 2000 == 0:
                    ctx.progress(self.name, done, total)
        for entry in unused:
            ctx.say(self.name, "warning", "denylist", f"The denylist's entry {entry!r} matches no operation.")
        return PassResult(summary=", ".join(f"{count} {role}" for role, count in counts.items()))

    def _denied(self, op: str, name: str) -> str | None:
        if op == "Const":
            return None
        for entry in self.denylist:
            if entry in (op, name) or fnmatchcase(name, entry):
                return entry
        return None

    def _denied_inside(self, graph: Graph, node: Node) -> tuple[str | None, str]:
        """Return the denylist's entry for a node in a function that a node calls, and that node."""
        pending, seen = list(node.attrs.functions), set()
        while pending:
            function = pending.pop()
            if function in seen or function not in graph.library:
                continue
            seen.add(function)
            for inner in graph.library.get(function).node_def:
                if (entry := self._denied(inner.op, inner.name)) is not None:
                    return entry, inner.name
                pending.extend(called_by(inner))
        return None, ""


def sets_of(registry: Registry, engine: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the converter sets of an engine with these options.

    Raises:
        KeyError: no such engine is registered.
    """
    if engine not in registry.engines:
        known = ", ".join(sorted(registry.engines)) or "none"
        raise KeyError(f"there is no engine {engine!r}; registered are: {known}")
    return converter_sets(registry.engines[engine], options)


def _tag(graph: Graph, node: Node, registry: Registry, sets: tuple[str, ...]) -> Tag:
    if node.op == "Const":
        return _CONSTANT
    if node.name in graph.fed or node.op in ("Placeholder", "PlaceholderWithDefault", ARG):
        return native("boundary", "It is an input of the graph or of a function.")
    if node.op in FRAME_OPS:
        return native("control-flow", f"{node.op} belongs to TensorFlow's own control flow.")
    if node.attrs.get(MUST_COMPILE) is True:
        return native("control-flow", "XLA compiles the function that it calls as a whole, so that stays as it is.")
    if node.op in PASS_THROUGH:
        if const_source(graph, TensorRef(node.name)) is not None:
            return _CONSTANT
        infos = tensor_infos(graph, node)
        if infos and infos[0].dtype in PLAIN:
            return _PASS
        return native("dtype", f"It passes on a value of type {infos[0].dtype if infos else 'unknown'}.", "input 0")
    known = graph.library.opdefs.get(node.op)
    if known is None and not any(e.op == node.op for e in registry.candidates(node.op, sets)):
        return native("unknown-op", f"This TensorFlow has no op {node.op}.", node.op)
    if known is not None and not known.output_arg:
        return native("no-op", f"{node.op} has no outputs.")
    if known is not None and known.is_stateful and node.op not in FUNCTIONAL_CONTROL_FLOW:
        return native("stateful", f"{node.op} has state or side effects, or gives another result each time.")
    resolution = registry.resolve(node_view(graph, node.name), sets)
    if isinstance(resolution.support, Supported):
        return Tag("candidate", _weight(graph, node), resolution)
    return Tag("native", 1, resolution, resolution.support)


def _weight(graph: Graph, node: Node) -> int:
    """Count a node that calls functions as the ops in them."""
    if node.op not in FUNCTIONAL_CONTROL_FLOW:
        return 1
    functions = [graph.library.get(name) for name in called(node) if name in graph.library]
    return max(1, sum(len(f.node_def) for f in functions))
