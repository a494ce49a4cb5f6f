"""The whole graph, timed: whether what was chosen part by part is the best of what could be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from tfgraft.bench import caller
from tfgraft.choice.choice import NATIVE
from tfgraft.choice.contenders import grafted
from tfgraft.choice.measure import Measurer
from tfgraft.choice.timing import SIGMAS, Call, Comparison, compare, compare_again
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import to_graph_def
from tfgraft.passes.base import PassContext
from tfgraft.passes.build_engines import Built
from tfgraft.predictor import Predictor

_SECONDS = 6.0
_AS_GOOD = 1.03
"""Among sets of engines that take up to so many times as long as the quickest, that with most of the graph is best."""


def best_of(
    graph: Graph,
    chosen: Sequence[Built],
    unmeasured: Mapping[str, Sequence[Built]],
    measurer: Measurer,
    ctx: PassContext,
    others: Mapping[str, Sequence[Built]] | None = None,
) -> tuple[list[Built], str]:
    """Return the engines with which the whole graph is quickest, and a remark.

    Compared are: what was chosen; that and what could not be measured on its own, by each engine; where several engines
    were chosen, each of them alone; what else is given; and TensorFlow. The time by `predictor()` counts, which is that
    within TensorFlow where a part stays there. Of those that are about as quick the one that takes most of the graph is
    returned: what was measured of parts, at different times, does not tell them apart.

    Args:
        chosen: what was chosen of the parts that were measured.
        unmeasured: by engine, what could not be.
        others: by what to call them, other sets of engines to be compared.
    """
    variants: dict[str, list[Built]] = {"what was chosen": list(chosen)}
    variants |= {name: list(more) for name, more in (others or {}).items()}
    for engine, more in unmeasured.items():
        beside = [one for one in more if _is_free(one, chosen)]
        if beside:
            variants[f"{engine} besides"] = [*chosen, *beside]
    for engine in sorted({one.engine.engine for one in chosen}):
        own = [one for one in chosen if one.engine.engine == engine]
        if len(own) < len(chosen):
            variants[f"{engine} alone"] = own
    if measurer.problem:
        first = next((list(more) for more in unmeasured.values() if more), list(chosen))
        return first, f"Nothing was measured, and the first engine took what it could: {measurer.problem}"
    if not any(variants.values()):
        return [], "No engine is quicker than TensorFlow with any part of this graph."
    graphs = {NATIVE: to_graph_def(graph)}
    graphs |= {name: grafted(graph, built, ctx, strict=True)[0] for name, built in variants.items() if built}
    calls, seconds = _calls(graphs, measurer, ctx), min(_SECONDS, max(1.0, measurer.remaining))
    if len(calls) == 1:
        return [], "No engine runs in the whole graph."
    variants = {name: built for name, built in variants.items() if name in calls}
    graphs = {name: graphs[name] for name in calls}
    alone = _direct_times(graphs, measurer, seconds / 2) if measurer.search.predictor else {}
    times = compare_again(
        calls,
        lambda: _calls(graphs, measurer, ctx),
        lambda times: _best(variants, times, alone) != NATIVE,
        seconds,
    )
    native, best = times[NATIVE].milliseconds, _best(variants, times, alone)
    if best == NATIVE:
        return [], f"As a whole TensorFlow is the quickest: {native:.3g} ms."
    return variants[best], f"As a whole: {times[best].milliseconds:.3g} ms, TensorFlow {native:.3g} ms."


def _best(variants: Mapping[str, Sequence[Built]], times: Mapping[str, Comparison], alone: Mapping[str, float]) -> str:
    """Return who is the quickest, by `predictor()` if its time so is in `alone`, and no slower in TensorFlow."""
    own = {name: alone.get(name, each.milliseconds) for name, each in times.items()}
    native = own.pop(NATIVE)
    if native < min(own.values()):
        return NATIVE
    best = _fullest(variants, own)
    return NATIVE if times[best].gain < -SIGMAS * times[best].noise else best


def _fullest(variants: Mapping[str, Sequence[Built]], times: Mapping[str, float]) -> str:
    """Return who takes most of the graph of those that are about as quick as the quickest; the first of equals."""
    limit = _AS_GOOD * min(times.values())
    good = [name for name in variants if times[name] <= limit]
    return max(good, key=lambda name: sum(one.cluster.size for one in variants[name]))


def _is_free(one: Built, chosen: Sequence[Built]) -> bool:
    return not any(
        one.cluster.function == other.cluster.function and set(one.cluster.nodes) & set(other.cluster.nodes)
        for other in chosen
    )


def _calls(graphs: Mapping[str, Any], measurer: Measurer, ctx: PassContext) -> dict[str, Call]:
    loaded = measurer.loaded
    fed = [spec for spec in (*loaded.inputs, *loaded.optional_inputs) if spec.name in measurer.feed]
    values = [np.asarray(measurer.feed[spec.name]) for spec in fed]
    calls: dict[str, Call] = {}
    for name, graph_def in graphs.items():
        call = caller(graph_def, loaded, fed, measurer.threads)
        try:
            call(values)
        except Exception as error:  # an engine that fails in company is out
            if name == NATIVE:
                raise
            ctx.say("choose_engines", "warning", "engine-rejected", f"{name} does not run: {error}".splitlines()[0])
            continue
        calls[name] = lambda call=call: call(values)  # type: ignore[misc]
    return calls


def _direct_times(graphs: Mapping[str, Any], measurer: Measurer, seconds: float) -> dict[str, float]:
    """Return the milliseconds of calls by `predictor()`, of graphs of which nothing stays in TensorFlow."""
    values = [measurer.feed[spec.name] for spec in measurer.loaded.inputs]
    calls: dict[str, Call] = {}
    for name, graph_def in graphs.items():
        predict = Predictor(graph_def, measurer.loaded, lambda: None)
        if predict.is_direct:
            with suppress(Exception):  # an engine may fail in any way: its time within TensorFlow decides
                predict(*values)
                calls[name] = partial(predict, *values)
    return {name: each.milliseconds for name, each in compare(calls, seconds).items()} if calls else {}
