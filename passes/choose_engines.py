"""choose_engines: build clusters for several engines, time them against TensorFlow, keep those that win."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from tfgraft import runtime
from tfgraft.choice.assign import Candidate, assign
from tfgraft.choice.choice import NATIVE, Choice
from tfgraft.choice.measure import Measurer
from tfgraft.choice.search import Search
from tfgraft.choice.tune import tuned
from tfgraft.choice.whole import best_of
from tfgraft.engines import EngineSpec
from tfgraft.graph.graph import Graph
from tfgraft.load.model import LoadedModel
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.bodies import taken_bodies
from tfgraft.passes.build_engines import BuildEngines, Built, renumbered
from tfgraft.passes.form_clusters import CLUSTER, LEFT_OUT, FormClusters, make_cluster, members, note_bodies
from tfgraft.passes.tag_support import TAG, Tag, TagSupport

CHOICES = "choices"
"""The key in `PassContext.results` of the list of `Choice`."""
Graphs = Mapping[str, Graph]
_PROMISING = 0.8
"""The share of what was chosen's gain from which on another set of engines is timed beside it."""


@dataclass(frozen=True)
class _Attempt:
    """What one engine makes of the graph: its tags by graph, why nodes are left out, and its engines."""

    spec: EngineSpec
    ctx: PassContext
    tags: Mapping[str, Mapping[str, Tag]]
    left_out: Mapping[str, Mapping[str, str]]
    built: list[Built]


@dataclass(frozen=True)
class ChooseEngines:
    """Chooses an engine, or TensorFlow, for each part of the graph; leaves what `build_engines` does.

    Every engine tags, forms clusters and builds as if it were alone. Each cluster is timed as an engine node in
    TensorFlow against its own nodes in TensorFlow, on the values that its inputs have when the model runs: what its
    boundary costs is in the time. Those that compute something else are out. Of what is left the clusters that save
    most are taken, then those parts of others that are still free. Where inputs cannot be fetched (loops, branches,
    function bodies), and to see that the parts together keep what they promised, the whole graph is timed.

    The `Choice` values of all that was compared are in `ctx.results["choices"]`.

    Args:
        specs: the engines, in order of preference between equals.
        tagging, forming: how each engine's nodes and clusters are found.
        search: on what, and for how long, is measured.
        loaded: the model, whose inputs are fed.
        bound: how far an engine may be from TensorFlow, as relative L2 error; see `tfgraft.choice.measure`.
    """

    specs: tuple[EngineSpec, ...]
    tagging: TagSupport
    forming: FormClusters
    search: Search
    loaded: LoadedModel = field(repr=False)
    bound: float = 1e-4
    name: ClassVar[str] = "choose_engines"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Build, time and choose; the graph is not changed."""
        graphs = {one.name: one for one in ctx.graphs(graph)}
        attempts = [self._attempt(graph, graphs, ctx, spec) for spec in self.specs]
        measurer = Measurer(graph, self.loaded, self.search, self.bound, ctx)
        choices, candidates = measurer.measure([b for a in attempts for b in a.built if measurer.can_measure(b)])
        chosen = assign(graphs, candidates)
        more, rest = self._rest(graph, graphs, attempts, chosen, measurer)
        chosen += rest
        unmeasured = {a.spec.name: [b for b in a.built if not measurer.can_measure(b)] for a in attempts}
        others = _by_engine(graphs, candidates, chosen)
        if self.search.tune:
            plain, chosen = [c.what for c in chosen], tuned(graph, chosen, self.specs, measurer, ctx)
            if [c.what for c in chosen] != plain:
                others["the same untuned"] = plain
        built, note = best_of(graph, [c.what for c in chosen], unmeasured, measurer, ctx, others)
        order = {(name, node.name): i for name, one in graphs.items() for i, node in enumerate(one)}

        def place(one: Built) -> tuple[str, int]:
            function = one.cluster.function
            return function, min(order[function, name] for name in one.cluster.nodes)

        built = [renumbered(one, f"engine_{i}") for i, one in enumerate(sorted(built, key=place))]
        _note(graphs, attempts, built, [*choices, *more], ctx)
        ctx.results["clusters"] = [one.cluster for one in built]
        ctx.results["built"] = built
        ctx.results[CHOICES] = _final([*choices, *more], built, graphs)
        if note:
            ctx.say(self.name, "info", "inefficient" if not built else "", note)
        engines = sorted({one.engine.engine for one in built})
        return PassResult(summary=f"{len(built)} engines of {', '.join(engines) or 'none'}")

    def _attempt(self, graph: Graph, graphs: Graphs, ctx: PassContext, spec: EngineSpec) -> _Attempt:
        runtime.register_engine(spec.builder)  # its engines are about to run
        own = replace(ctx, engine=spec.name, options=spec.options, results={}, diagnostics=[])
        own.progress = _prefixed(ctx, spec.name)
        self.tagging.run(graph, own)
        # A few light ops hardly win in any engine: to tell that, with times, one is enough. Where clusters may be of
        # any size there are too many for that.
        tune, first = self.search.tune, spec is self.specs[0]
        forming = replace(self.forming, cut_light=self.forming.cut_light and (tune or not first))
        (replace(forming, minimum_segment_size=1) if tune else forming).run(graph, own)
        BuildEngines(self.forming).run(graph, own)
        ctx.diagnostics += [replace(d, severity="info", origin=f"{d.origin} ({spec.name})") for d in own.diagnostics]
        return _Attempt(
            spec,
            own,
            {name: dict(one.facts.table(TAG)) for name, one in graphs.items()},
            {name: dict(one.facts.table(LEFT_OUT)) for name, one in graphs.items()},
            list(own.results["built"]),
        )

    def _rest(
        self,
        graph: Graph,
        graphs: Graphs,
        attempts: Sequence[_Attempt],
        chosen: Sequence[Candidate[Built]],
        measurer: Measurer,
    ) -> tuple[list[Choice], list[Candidate[Built]]]:
        """Form clusters of what is left of those that lost nodes to others, and see which of them win."""
        taken = frozenset(name for c in chosen if not c.function for name in c.nodes)
        built: list[Built] = []
        for attempt in attempts:
            lost = [
                b for b in attempt.built if measurer.can_measure(b) and frozenset(members(graph, b.cluster)) & taken
            ]
            free = {name for b in lost for name in frozenset(members(graph, b.cluster))} - taken
            if not free:
                continue
            graph.facts.clear(TAG)
            graph.facts.update(TAG, dict(attempt.tags[""]))
            groups = self.forming.groups(graph, [node.name for node in graph if node.name in free])
            clusters = [make_cluster(graph, g, f"rest_{i}", attempt.spec.name) for i, g in enumerate(groups)]
            for cluster, group in zip(clusters, groups, strict=True):
                graph.facts.update(CLUSTER, dict.fromkeys(group, cluster.id))
            own = replace(attempt.ctx, results={"clusters": clusters}, diagnostics=[])
            BuildEngines(self.forming).run(graph, own)
            built += own.results["built"]
        choices, candidates = measurer.measure(built)
        fixed = [replace(c, gain=float("inf")) for c in chosen]
        return choices, [c for c in assign(graphs, [*fixed, *candidates]) if c not in fixed]


def _by_engine(
    graphs: Graphs, candidates: Sequence[Candidate[Built]], chosen: Sequence[Candidate[Built]]
) -> dict[str, list[Built]]:
    """Return what single engines win of the graph, where that promises about as much as what was chosen."""
    found = {}
    for engine in sorted({c.what.engine.engine for c in candidates}):
        own = assign(graphs, [c for c in candidates if c.what.engine.engine == engine])
        if sum(c.gain for c in own) >= _PROMISING * sum(c.gain for c in chosen) and {id(c) for c in own} != {
            id(c) for c in chosen
        }:
            found[f"{engine} by itself"] = [c.what for c in own]
    return found


def _prefixed(ctx: PassContext, engine: str) -> Callable[[str, int, int], None]:
    return lambda what, done, total: ctx.progress(f"{engine}: {what}", done, total)


def _note(
    graphs: Graphs, attempts: Sequence[_Attempt], built: Sequence[Built], choices: Iterable[Choice], ctx: PassContext
) -> None:
    """Put the facts down that a report is made of: each node's tag is that of the engine that it went to."""
    by_engine = {a.spec.name: a for a in attempts}
    for name, one in graphs.items():
        tags, why = dict(attempts[0].tags[name]), dict(attempts[0].left_out[name])
        for attempt in attempts[1:]:  # a node that another engine could take is not refused
            better = {n: t for n, t in attempt.tags[name].items() if t.role == "candidate" and tags[n].role == "native"}
            tags |= better
            why |= {n: attempt.left_out[name][n] for n in better if n in attempt.left_out[name]}
        if not name:
            why |= {n: str(choice) for choice in choices if choice.chosen == NATIVE for n in choice.nodes}
        for each in built:
            if each.cluster.function == name:
                own = by_engine[each.engine.engine].tags[name]
                tags |= {n: own[n] for n in each.cluster.nodes if n in own}
        one.facts.clear(TAG)
        one.facts.clear(LEFT_OUT)
        one.facts.clear(CLUSTER)
        one.facts.update(TAG, tags)
        one.facts.update(LEFT_OUT, why)
    for each in built:
        one = graphs[each.cluster.function]
        one.facts.update(CLUSTER, dict.fromkeys(members(one, each.cluster), each.cluster.id))
    clusters = [each.cluster for each in built]
    for each, bodies in zip(built, taken_bodies(graphs, [(c.function, c.nodes) for c in clusters]), strict=True):
        for body in bodies:
            graphs[body].facts.update(TAG, dict(by_engine[each.engine.engine].tags[body]))
    note_bodies(graphs, clusters)


def _final(choices: Sequence[Choice], built: Sequence[Built], graphs: Graphs) -> list[Choice]:
    """Return the choices with the ids of clusters as they are in the end."""
    ids = {(b.cluster.function, frozenset(members(graphs[b.cluster.function], b.cluster))): b for b in built}
    found = []
    for choice in choices:
        one = ids.get((choice.function, frozenset(choice.nodes)))
        if one is None:
            found.append(
                choice if choice.chosen == NATIVE else replace(choice, chosen=NATIVE, reason=choice.reason or _ELSE)
            )
        else:
            found.append(replace(choice, chosen=one.engine.engine, cluster=one.cluster.id))
    return found


_ELSE = "other clusters, or TensorFlow, do better with these nodes"
