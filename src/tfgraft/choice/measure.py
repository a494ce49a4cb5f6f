"""Measuring clusters: what each engine that takes exactly these nodes computes, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from tfgraft.cache.code import machine
from tfgraft.cache.digest import digest
from tfgraft.calibration.feeds import feeds_of
from tfgraft.choice.assign import Candidate
from tfgraft.choice.choice import NATIVE, Choice, Contender, quickest
from tfgraft.choice.contenders import direct_call, engine_call, native_call, session_threads
from tfgraft.choice.search import Search
from tfgraft.choice.timing import SIGMAS, Call, Comparison, compare, compare_again
from tfgraft.distance import distance
from tfgraft.errors import TfGraftError
from tfgraft.feeds import synthetic_feeds
from tfgraft.graph.chains import original
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_source
from tfgraft.load.model import LoadedModel
from tfgraft.passes.base import PassContext
from tfgraft.passes.build_engines import Built
from tfgraft.passes.contexts import contexts
from tfgraft.passes.form_clusters import members
from tfgraft.values import tensor_values

Array = NDArray[Any]
_GROSS = 5e-2
"""What no engine may be off, even if others agree with it: TensorFlow's own kernels are off by half of this at most."""
_LEAST_SECONDS, _ENOUGH_SECONDS, _MOST_SECONDS = 0.2, 2.0, 8.0
"""How long one set of nodes is timed; the last one where it is not clear which engine is the quickest."""
_MEASURED = "engine times, direct ones too"
_CLOSE, _CLOSE_MILLISECONDS = 1.2, 0.1
"""How close to the quickest an engine is in TensorFlow for its own time to count too: by share, and besides."""
_SWITCHES = ("Switch", "RefSwitch", "Merge", "RefMerge")


class NotRunnable(Exception):
    """TensorFlow cannot run a cluster's nodes by themselves; the message says why."""


@dataclass
class Measurer:
    """Times clusters of one model on one feed.

    Args:
        graph: the main graph, with the clusters' nodes in it.
        loaded: the model.
        search: the settings.
        bound: how far an engine may be from TensorFlow, with its optimizer or without, as relative L2 error. Where it
            is further, another engine must agree with it: TensorFlow's own kernels are off by up to 3 % for some models
            on some processors.
        ctx: with the cache, where times are kept, if there is one.
    """

    graph: Graph
    loaded: LoadedModel
    search: Search
    bound: float
    ctx: PassContext
    threads: int = field(init=False)
    problem: str = field(init=False, default="")
    """Why nothing can be measured; empty if it can."""
    feed: Mapping[str, Array] = field(init=False, default_factory=dict)
    _values: dict[TensorRef, Array] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.threads = session_threads(self.search.threads)
        self._spent = 0.0
        self._hidden = _hidden(self.graph)
        try:
            if self.search.feeds is None:
                self.feed = synthetic_feeds(self.loaded)
            else:
                self.feed = next(iter(feeds_of(self.search.feeds, self.loaded)))
        except TfGraftError as error:
            if self.search.feeds is not None:
                raise
            self.problem = str(error)

    @property
    def remaining(self) -> float:
        """Seconds of the search that are left."""
        return max(0.0, self.search.seconds - self._spent)

    def can_measure(self, built: Built) -> bool:
        """Tell whether the values of a cluster's inputs can be had."""
        cluster = built.cluster
        refs = (*cluster.inputs, *cluster.outputs)
        return not self.problem and not cluster.function and not any(ref.node in self._hidden for ref in refs)

    def measure(self, found: Sequence[Built]) -> tuple[list[Choice], list[Candidate[Built]]]:
        """Measure clusters, the largest first; return what came out, and those that win."""
        groups: dict[frozenset[str], list[Built]] = {}
        for one in found:
            groups.setdefault(frozenset(members(self.graph, one.cluster)), []).append(one)
        ordered = sorted(groups.items(), key=lambda item: (-len(item[0]), min(item[0])))
        self._run_model([one for _, group in ordered for one in group])
        choices: list[Choice] = []
        candidates: list[Candidate[Built]] = []
        for i, (nodes, group) in enumerate(ordered):
            self.ctx.progress(f"timing {len(nodes)} nodes", i, len(ordered))
            seconds = self.remaining / (len(ordered) - i)
            choice, winner = self._choose(group, seconds)
            choices.append(choice)
            if winner is not None:
                best = next(c for c in choice.contenders if c.engine == choice.chosen)
                candidates.append(Candidate("", nodes, best.gain, winner))
        return choices, candidates

    def quickest(self, engines: Sequence[Built]) -> Built:
        """Return the quickest of several engines of one cluster that was measured: the first, but for good reason.

        Another one must be quicker than the first by the margin and by twice the noise, and compute the same.
        """
        if not self.remaining:
            return engines[0]
        start = time.monotonic()
        calls: dict[str, Call] = {}
        wanted: list[Array] = []
        for i, one in enumerate(engines):
            try:
                call = engine_call(self.graph, one, self._values, self.threads, self.ctx)
                got = list(call())  # type: ignore[call-overload]
            except Exception:  # an engine may fail in any way
                if i == 0:
                    return one
                continue
            wanted = wanted or got
            if _apart(wanted, got) <= self.bound:
                calls[str(i)] = call
        times = compare(calls, _enough(self.remaining))
        self._spent += time.monotonic() - start
        least = self.search.margin * times["0"].milliseconds
        better = {i: t for i, t in times.items() if t.gain > max(least, SIGMAS * t.noise)}
        return engines[int(max(better, key=lambda i: better[i].gain, default="0"))]

    def _run_model(self, found: Sequence[Built]) -> None:
        refs = dict.fromkeys(ref for one in found for ref in one.cluster.inputs)
        missing = [ref for ref in refs if ref not in self._values]
        if missing:
            (values,) = tensor_values(to_graph_def(self.graph), self.graph, missing, self.loaded, [self.feed])
            self._values.update(values)

    def _choose(self, group: Sequence[Built], seconds: float) -> tuple[Choice, Built | None]:
        names = members(self.graph, group[0].cluster)
        key = self._key(group)
        known = self.ctx.cache.get(key) if self.ctx.cache is not None else None
        if known is None:
            if not self.remaining:
                return Choice(tuple(names), 0.0, (), reason="there was no time left to measure it"), None
            start = time.monotonic()
            try:
                known = self._measured(group, seconds)
            except NotRunnable as error:
                return Choice(tuple(names), 0.0, (), reason=str(error)), None
            finally:
                self._spent += time.monotonic() - start
            if self.ctx.cache is not None:
                self.ctx.cache.put(key, known, _MEASURED, f"{len(names)} nodes")
        native, rows = known
        contenders = tuple(Contender(*row) for row in rows)
        winners = [c for c in contenders if not c.refusal]
        if not winners:
            return Choice(tuple(names), native, contenders), None
        best = quickest(winners, self.search.predictor and _is_whole(self.graph, group[0]))
        built = next(one for one in group if one.engine.engine == best.engine)
        return Choice(tuple(names), native, contenders, best.engine), built

    def _key(self, group: Sequence[Built]) -> str:
        shapes = [(str(ref), list(self._values[ref].shape)) for ref in group[0].cluster.inputs]
        prints = [(one.engine.engine, one.fingerprint) for one in group]
        return digest(_MEASURED, machine(), prints, shapes, self.threads, self.search.margin, self.bound)

    def _measured(self, group: Sequence[Built], seconds: float) -> tuple[float, list[tuple[Any, ...]]]:
        """Return TensorFlow's milliseconds, and the fields of each engine's `Contender`."""
        try:
            native = native_call(self.graph, group[0], self._values, self.threads)
            wanted = list(native())  # type: ignore[call-overload]
        except Exception as error:  # nodes that TensorFlow runs in the graph, and not apart from it
            first = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise NotRunnable(
                f"TensorFlow does not run its nodes by themselves, so nothing was measured: {first}"
            ) from error
        calls: dict[str, Call] = {NATIVE: native}
        got: dict[str, list[Array]] = {}
        refused: dict[str, str] = {}
        order = [str(ref) for ref in group[0].cluster.outputs]
        for one in group:
            engine = one.engine.engine
            try:
                call = engine_call(self.graph, one, self._values, self.threads, self.ctx)
                results = dict(zip([str(ref) for ref in one.cluster.outputs], call(), strict=True))  # type: ignore[call-overload]
            except Exception as error:  # an engine may fail in any way; TensorFlow and the others remain
                refused[engine] = f"it does not run: {str(error).strip().splitlines()[0][:200]}"
                continue
            got[engine] = [results[name] for name in order]
            calls[engine] = call
        errors = {engine: _apart(wanted, values) for engine, values in got.items()}
        if any(error > self.bound for error in errors.values()):
            # Its optimizer's kernels round otherwise, and two boxes that score alike change places.
            plain = self._plain(group[0].cluster.outputs)
            errors = {engine: min(errors[engine], _apart(plain, values)) for engine, values in got.items()}
        for engine, values in got.items():
            close = min([errors[engine], *(_apart(v, values) for other, v in got.items() if other != engine)])
            if not (close <= self.bound and errors[engine] <= _GROSS):
                refused[engine] = f"it is off by {errors[engine]:.2g} (relative L2 error)"
                del calls[engine]
        times = self._times(group, calls, seconds)
        rows = []
        for one in group:
            engine = one.engine.engine
            time_ = times.get(engine, Comparison(0.0, 0.0, 0.0))
            refusal = refused.get(engine, "")
            if not refusal and not self._beats(time_, times[NATIVE]):
                refusal = "it is not quicker than TensorFlow"
            rows.append((engine, time_.milliseconds, time_.gain, errors.get(engine, 0.0), refusal))
        direct = self._direct(group, {row[0]: row[1] for row in rows if not row[4]}, seconds)
        return times[NATIVE].milliseconds, [(*row, direct.get(row[0], 0.0)) for row in rows]

    def _plain(self, refs: Sequence[TensorRef]) -> list[Array]:
        """Return the values of tensors as TensorFlow computes them without its optimizer."""
        (values,) = tensor_values(to_graph_def(self.graph), self.graph, refs, self.loaded, [self.feed])
        return [values[ref] for ref in refs]

    def _times(self, group: Sequence[Built], calls: Mapping[str, Call], seconds: float) -> dict[str, Comparison]:
        """Time TensorFlow and engines of a cluster; `calls` are those whose numbers are right."""

        def anew() -> dict[str, Call]:
            made = {NATIVE: native_call(self.graph, group[0], self._values, self.threads)}
            for one in group:
                if one.engine.engine in calls:
                    made[one.engine.engine] = engine_call(self.graph, one, self._values, self.threads, self.ctx)
            return made

        def beaten(times: Mapping[str, Comparison]) -> bool:
            return any(self._beats(times[name], times[NATIVE]) for name in times if name != NATIVE)

        seconds, most = _enough(seconds), min(_MOST_SECONDS, seconds / 2)
        return compare_again(calls, anew, beaten, seconds, most) if len(calls) > 1 else compare(calls, seconds, most)

    def _beats(self, time_: Comparison, native: Comparison) -> bool:
        return time_.gain >= max(self.search.margin * native.milliseconds, SIGMAS * time_.noise)

    def _direct(self, group: Sequence[Built], times: Mapping[str, float], seconds: float) -> dict[str, float]:
        """Return the milliseconds by themselves of engines that are close to each other in TensorFlow.

        What TensorFlow takes for a call, and how much that varies, hides the differences of engines of a millisecond.
        """
        limit = min(times.values(), default=0.0) * _CLOSE + _CLOSE_MILLISECONDS
        close = {engine for engine, milliseconds in times.items() if milliseconds <= limit}
        calls: dict[str, Call] = {}
        for one in group:
            if one.engine.engine in close:
                try:
                    call = direct_call(self.graph, one, self._values, self.ctx)
                    if call is None:
                        continue
                    call()
                except Exception:  # an engine may fail in any way: its time within TensorFlow decides
                    continue
                calls[one.engine.engine] = call
        if len(close) < 2 or not calls:
            return {}
        times_alone = compare(calls, _enough(seconds) / 2, min(_MOST_SECONDS, seconds / 2))
        return {engine: found.milliseconds for engine, found in times_alone.items()}


def _enough(seconds: float) -> float:
    """Return the seconds that contenders are timed at least, where so many are left."""
    return min(_ENOUGH_SECONDS, max(_LEAST_SECONDS, seconds))


def _apart(wanted: Sequence[Array], got: Sequence[Array]) -> float:
    return max((distance(a, b) for a, b in zip(wanted, got, strict=True)), default=0.0)


def _is_whole(graph: Graph, built: Built) -> bool:
    """Tell whether a cluster computes all outputs of a model, of nothing but its inputs."""
    cluster = built.cluster
    fed = all(original(graph, ref).node in graph.fed for ref in cluster.inputs)
    outputs = {original(graph, ref) for ref in cluster.outputs}
    return fed and all(original(graph, ref) in outputs for ref in graph.fetches)


def _hidden(graph: Graph) -> frozenset[str]:
    """Return the nodes whose values cannot be fetched: those in loops and branches of TensorFlow 1."""
    inside = contexts(graph, graph.topological())
    found = {node.name for node in graph if node.op in _SWITCHES}
    return frozenset(found | {name for name in inside if const_source(graph, TensorRef(name)) is None})
