"""Report: what became of each node, and why."""

from __future__ import annotations

import difflib
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tfgraft.passes.base import Diagnostic

if TYPE_CHECKING:
    from tfgraft.choice.choice import Choice
    from tfgraft.choice.estimate import Estimate
    from tfgraft.passes.verify_engines import OutputCheck
    from tfgraft.precision.budget import AccuracyReport


@dataclass(frozen=True)
class ClusterReport:
    """One cluster: its id, engine, nodes, and the tensors it reads and gives, by name.

    Args:
        function: the function whose body it is in; empty for the main graph.
        size: ops that compute something.
        engine_node: the node that replaced it; empty in a plan.
        payload_bytes: size of the serialized engine; 0 in a plan.
        build: what the builder says of the build (seconds, layers); empty in a plan.
    """

    id: str
    engine: str
    nodes: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: tuple[str, ...] = ()
    function: str = ""
    size: int = 0
    engine_node: str = ""
    payload_bytes: int = 0
    build: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NodeReport:
    """What became of one node.

    Args:
        fate: "engine" (in a cluster), "native" (stays in TensorFlow), "constant", "left out" (an engine could take
            it, but its cluster was not worth it) or "replaced" (decomposed, folded or pruned before clusters).
        cluster: the cluster's id, if any.
        code, reason, hint: why it is not in an engine.
        converter: who converts it: "engine: source".
        asked: (who was asked, why they refused), in order.
        precision: "INT8", "FP16", ... where a pass lowered it, or kept it from that ("FP32").
    """

    name: str
    op: str
    function: str
    fate: str
    cluster: str = ""
    code: str = ""
    reason: str = ""
    hint: str = ""
    converter: str = ""
    asked: tuple[tuple[str, str], ...] = ()
    precision: str = ""


@dataclass(frozen=True)
class Explanation:
    """The whole story of a node: `str()` tells it, `diagnostics` has it as data.

    `estimate` is what a plan says of the times of the node's cluster.
    """

    node: NodeReport
    diagnostics: tuple[Diagnostic, ...]
    estimate: Estimate | None = None

    def __str__(self) -> str:
        node = self.node
        where = f" in function {node.function}" if node.function else ""
        lines = [f"{node.name} ({node.op}){where}: {_FATES[node.fate].format(node=node)}"]
        if node.precision:
            lines.append(f"  computes in {node.precision}")
        if node.converter:
            lines.append(f"  converted by {node.converter}")
        if node.reason:
            lines.append(f"  why: [{node.code}] {node.reason}" if node.code else f"  why: {node.reason}")
        if node.hint:
            lines.append(f"  what helps: {node.hint}")
        if self.estimate is not None and str(self.estimate) not in node.reason:
            lines.append(f"  estimated, not measured: {self.estimate}")
        lines.extend(f"  asked {who}: {answer}" for who, answer in node.asked)
        lines.extend(f"  {d.origin}: {d.message}" for d in self.diagnostics if d.message != node.reason)
        return "\n".join(lines)


_FATES = {
    "engine": "runs in engine {node.cluster}",
    "native": "stays in TensorFlow",
    "constant": "is a constant, taken along by what reads it",
    "left out": "could run in an engine, but stays in TensorFlow",
    "replaced": "is gone: optimized away or decomposed before clusters were formed",
}


@dataclass(frozen=True)
class Graphs:
    """The GraphDefs that a report is about: before, and after; None where nothing was built."""

    before: Any = field(repr=False)
    after: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Report:
    """What a plan or an optimization found.

    Args:
        engine: the engine's name.
        clusters: the clusters.
        nodes: every node of the graph as clusters were formed on it, and those of the user's graph that were
            replaced before.
        diagnostics: what passes had to say, refusals included.
        seconds: wall seconds of each pass.
        accuracy: what an accuracy budget came to, if one was given.
        verified: how far each engine is from its native segment and from float32, if that was asked for.
        choices: what was measured where several engines were asked, and who was chosen.
        estimates: how long a plan's clusters would take, by a cost model: nothing was run.
        graphs: what TensorBoard is to show; not part of the report as data.
    """

    engine: str
    clusters: tuple[ClusterReport, ...]
    nodes: tuple[NodeReport, ...]
    diagnostics: tuple[Diagnostic, ...]
    seconds: tuple[tuple[str, float], ...] = ()
    accuracy: AccuracyReport | None = None
    verified: tuple[OutputCheck, ...] = ()
    choices: tuple[Choice, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    graphs: Graphs | None = field(default=None, repr=False, compare=False)

    @property
    def precisions(self) -> Mapping[str, int]:
        """How many nodes compute in each precision that a pass chose, such as {"INT8": 53}."""
        return dict(Counter(n.precision for n in self.nodes if n.precision).most_common())

    @property
    def coverage(self) -> float:
        """The share of the non-constant nodes that engines took, function bodies included; 0 to 1."""
        fates = Counter(node.fate for node in self.nodes)
        total = fates["engine"] + fates["native"] + fates["left out"]
        return fates["engine"] / total if total else 0.0

    @property
    def refusals(self) -> Mapping[tuple[str, str], int]:
        """How many nodes stayed native, by (op, code), the most frequent first; inputs of the graph left out."""
        counts = Counter(
            (n.op, n.code) for n in self.nodes if n.fate == "native" and n.code not in ("boundary", "no-op")
        )
        return dict(counts.most_common())

    def explain(self, node: str) -> Explanation:
        """Return the whole story of a node, given by name (a tensor's name will do).

        Raises:
            KeyError: there is no such node; the message has the nearest names.
        """
        wanted = node.lstrip("^").partition(":")[0]
        found = [n for n in self.nodes if n.name == wanted]
        if not found:
            near = difflib.get_close_matches(wanted, [n.name for n in self.nodes], 3, 0.5)
            hint = f"; near it are {', '.join(near)}" if near else ""
            raise KeyError(f"there is no node {wanted!r} in the graph{hint}")
        found.sort(key=lambda n: (n.fate == "replaced", n.function))
        about = tuple(d for d in self.diagnostics if d.node == wanted and d.function == found[0].function)
        return Explanation(found[0], about, self._estimate(found[0]))

    def _estimate(self, node: NodeReport) -> Estimate | None:
        found = [e for e in self.estimates if e.function == node.function and node.name in e.nodes]
        found += [e for e in self.estimates if node.cluster and e.cluster == node.cluster]  # in a function's body
        return max(found, key=lambda e: (bool(e.cluster), e.gain), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "engine": self.engine,
            "coverage": self.coverage,
            "clusters": [asdict(c) for c in self.clusters],
            "nodes": [asdict(n) for n in self.nodes],
            "refusals": [{"op": op, "code": code, "count": n} for (op, code), n in self.refusals.items()],
            "diagnostics": [asdict(d) for d in self.diagnostics],
            "seconds": dict(self.seconds),
            "precisions": dict(self.precisions),
            "accuracy": None if self.accuracy is None else self.accuracy.to_dict(),
            "verified": [asdict(check) for check in self.verified],
            "choices": [asdict(choice) for choice in self.choices],
            "estimates": [{**asdict(one), "quickest": one.quickest} for one in self.estimates],
        }

    def to_json(self, indent: int | None = None) -> str:
        """Return everything as JSON."""
        return json.dumps(self.to_dict(), indent=indent)

    def to_tensorboard(self, logdir: str | os.PathLike[str]) -> None:
        """Write the graph as TensorBoard shows it, before and after: two runs, in folders of these names.

        After, each engine is one node, and its attribute `ops` says what is in it. Before, the nodes can be coloured
        by the engines that take them: "XLA cluster" is what TensorBoard calls that. A plan has no graph after.

        Raises:
            ValueError: the report was made without graphs.
            OSError: the folder cannot be written.
        """
        from tfgraft.report.tensorboard import write

        if self.graphs is None:
            raise ValueError("this report was made without graphs; tfgraft.optimize and tfgraft.plan make such as have")
        write(self, self.graphs, logdir)

    def __str__(self) -> str:
        fates = Counter(node.fate for node in self.nodes)
        total = fates["engine"] + fates["native"] + fates["left out"]
        lines = [
            f"{len(self.clusters)} clusters for {self.engine}: {fates['engine']} of {total} nodes "
            f"({self.coverage:.0%}) run in engines"
        ]
        for c in self.clusters:
            where = f" in function {c.function}" if c.function else ""
            engine = f" in {c.engine}" if c.engine != self.engine else ""
            lines.append(
                f"  {c.id}: {c.size} ops{engine}{where}, {len(c.inputs)} inputs, {len(c.outputs)} outputs, "
                f"{len(c.weights)} weights"
            )
        if self.precisions:
            lines.append(
                "precision: " + ", ".join(f"{count} nodes in {name}" for name, count in self.precisions.items())
            )
        if self.accuracy is not None:
            lines.append(str(self.accuracy))
        lines.extend(str(check) for check in self.verified)
        lines.extend(f"measured {choice}" for choice in self.choices)
        lines.extend(f"estimated, not measured: {estimate}" for estimate in self.estimates)
        if not self.clusters:
            lines.append("  nothing was converted; the graph stays as it was")
        if self.refusals:
            lines.append("stays in TensorFlow:")
            for (op, code), count in list(self.refusals.items())[:12]:
                example = next(n for n in self.nodes if (n.op, n.code, n.fate) == (op, code, "native"))
                lines.append(f"  {count:4d} x {op} [{code}] {example.reason}")
            if len(self.refusals) > 12:
                lines.append(f"  ... and {len(self.refusals) - 12} more kinds")
        if fates["left out"]:
            reasons = Counter(n.reason for n in self.nodes if n.fate == "left out")
            lines.append("left out:")
            lines.extend(f"  {count:4d} nodes: {reason}" for reason, count in reasons.most_common(5))
        for d in self.diagnostics:
            if d.severity in ("warning", "error"):
                lines.append(f"{d.severity}: {d.message}")
        return "\n".join(lines)
