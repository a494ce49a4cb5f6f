"""Tuning what was chosen: engines with fewer threads, timed against those that they were chosen as."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from tfgraft.choice.assign import Candidate
from tfgraft.choice.measure import Measurer
from tfgraft.engines import EngineSpec
from tfgraft.graph.graph import Graph
from tfgraft.passes.base import PassContext
from tfgraft.passes.build_engines import Built
from tfgraft.passes.builds import Builds
from tfgraft.plugins.protocol import BuildError

THREADS = "intra_op_threads"


def thread_counts(cores: int) -> list[int]:
    """Return the numbers of threads to be tried: powers of two up to the number of cores, which itself is one."""
    counts = [2**i for i in range(cores.bit_length()) if 2**i < cores]
    return [*counts, cores]


def tuned(
    graph: Graph,
    chosen: Sequence[Candidate[Built]],
    specs: Sequence[EngineSpec],
    measurer: Measurer,
    ctx: PassContext,
    cores: int | None = None,
) -> list[Candidate[Built]]:
    """Return what was chosen, with the number of threads that each engine is the quickest with.

    An engine whose options say how many it has, or that has no such option, stays as it is; so does one that gains less
    than the search's margin.

    Args:
        graph: the main graph.
        chosen: clusters that were measured.
        specs: the engines' builders and options.
        measurer: times them, and knows how much time is left.
        ctx: with the cache and the executor, if there are any.
        cores: how many cores there are; None for this machine's.
    """
    by_name = {spec.name: spec for spec in specs}
    counts = thread_counts(cores or os.cpu_count() or 1)
    found = []
    for candidate in chosen:
        spec = by_name[candidate.what.engine.engine]
        variants = _variants(graph, candidate.what, spec, counts, ctx)
        best = measurer.quickest([candidate.what, *variants.values()]) if variants else candidate.what
        name = next((name for name, one in variants.items() if one is best), "")
        if name:
            nodes = f"{len(candidate.nodes)} nodes from {min(candidate.nodes)}"
            message = f"{nodes}: {spec.name} is quicker with {THREADS}={name}."
            ctx.say("choose_engines", "info", "", message)
        found.append(replace(candidate, what=best))
    return found


def _variants(
    graph: Graph, built: Built, spec: EngineSpec, counts: Sequence[int], ctx: PassContext
) -> dict[str, Built]:
    if THREADS in spec.options or not _takes_threads(spec):
        return {}
    variants: dict[str, Built] = {}
    prints = {built.fingerprint}
    for count in counts:
        own = replace(ctx, engine=spec.name, options={**spec.options, THREADS: count}, results={}, diagnostics=[])
        outcome = Builds(spec.builder, graph, own).outcome(graph, built.cluster)
        if not isinstance(outcome, BuildError) and outcome.fingerprint not in prints:
            prints.add(outcome.fingerprint)
            variants[str(count)] = Built(built.cluster, outcome.engine, outcome.fingerprint)
    return variants


def _takes_threads(spec: EngineSpec) -> bool:
    try:
        spec.builder.check_options({THREADS: 1})
    except ValueError:
        return False
    return True
