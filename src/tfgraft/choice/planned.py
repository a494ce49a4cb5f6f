"""A plan for several engines: which part of the graph would go to which, by estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tfgraft.choice.assign import Candidate, assign
from tfgraft.choice.estimate import Estimate
from tfgraft.job import Run
from tfgraft.passes.base import Diagnostic
from tfgraft.report.report import ClusterReport, NodeReport, Report

_Key = tuple[str, frozenset[str]]
_ORIGIN = "choose_engines"


def planned(runs: Sequence[Run]) -> Report:
    """Return one plan made of those of several engines: each cluster goes to whom the cost model thinks the quickest.

    Clusters that overlap are taken by what they would save, the largest first, as `choose_engines` does; what is left
    of the others is not formed anew. Where there are no figures for any engine it is the plan of the one that takes
    most, the first among equals. Remarks tell how much every engine would take.
    """
    reports = [run.report for run in runs]
    remarks = tuple(_remark(report) for report in reports)
    estimates = _joined(reports)
    if not any(one.quickest for one in estimates.values()):
        best = max(reports, key=lambda report: report.coverage)
        return replace(best, diagnostics=(*remarks, *best.diagnostics))
    graphs = {one.name: one for one in runs[0].ctx.graphs(runs[0].graph)}
    candidates = [
        Candidate(function, nodes, one.gain, (function, nodes))
        for (function, nodes), one in estimates.items()
        if one.gain > 0 and function in graphs
    ]
    chosen = _in_order(reports, [candidate.what for candidate in assign(graphs, candidates)])
    ids = {key: f"engine_{i}" for i, key in enumerate(chosen)}
    final = {key: replace(one, cluster=ids.get(key, "")) for key, one in estimates.items()}
    sources = {key: _source(reports, key, final[key].quickest) for key in chosen}
    taken: dict[tuple[str, str], NodeReport] = {}
    for key, (report, cluster) in sources.items():
        inside = (node for node in report.nodes if node.cluster == cluster.id)
        taken.update({(n.function, n.name): replace(n, cluster=ids[key]) for n in inside})
    nodes = tuple(taken.get(place) or _left(place, reports, final) for place in _places(reports))
    native = {(n.function, n.name) for n in nodes if n.fate == "native"}
    said = [d for d in reports[0].diagnostics if d.origin != "tag_support" or (d.function, d.node) in native]
    return replace(
        reports[0],
        clusters=tuple(replace(cluster, id=ids[key]) for key, (_, cluster) in sources.items()),
        nodes=nodes,
        diagnostics=(*remarks, *said),
        estimates=tuple(sorted(final.values(), key=lambda e: (not e.cluster, e.cluster, -e.gain))),
    )


def _remark(report: Report) -> Diagnostic:
    message = (
        f"Engine {report.engine} would take {report.coverage:.0%} of the nodes in {len(report.clusters)} clusters. "
        "That is an estimate: none was timed."
    )
    return Diagnostic("info", "", message, origin=_ORIGIN)


def _joined(reports: Sequence[Report]) -> dict[_Key, Estimate]:
    """Return the estimates by function and nodes, with the times of all engines whose clusters are these nodes."""
    found: dict[_Key, Estimate] = {}
    for one in (estimate for report in reports for estimate in report.estimates):
        key = (one.function, frozenset(one.nodes))
        old = found.get(key)
        found[key] = one if old is None else replace(old, milliseconds={**old.milliseconds, **one.milliseconds})
    return found


def _in_order(reports: Sequence[Report], keys: Sequence[_Key]) -> list[_Key]:
    order = {place: i for i, place in enumerate(_places(reports))}
    return sorted(keys, key=lambda key: min(order[key[0], name] for name in key[1]))


def _places(reports: Sequence[Report]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((n.function, n.name) for report in reports for n in report.nodes))


def _source(reports: Sequence[Report], key: _Key, engine: str) -> tuple[Report, ClusterReport]:
    """Return an engine's report, and its cluster of some nodes."""
    report = next(one for one in reports if one.engine == engine)
    function, nodes = key
    name = next(e.cluster for e in report.estimates if (e.function, frozenset(e.nodes)) == (function, nodes))
    return report, next(cluster for cluster in report.clusters if cluster.id == name)


def _left(place: tuple[str, str], reports: Sequence[Report], estimates: dict[_Key, Estimate]) -> NodeReport:
    """Return the report of a node that no engine gets: of the engines' own that of one that could have taken it."""
    found = [n for report in reports for n in report.nodes if (n.function, n.name) == place]
    node = next((n for n in found if n.fate in ("engine", "left out")), found[0])
    if node.fate != "engine":
        return node
    about = [e for (function, nodes), e in estimates.items() if function == place[0] and place[1] in nodes]
    lost = any(e.quickest and e.gain <= 0 for e in about)
    reason = f"{_ESTIMATED}{about[0]}." if about and lost else "Its cluster lost nodes to another one, by estimates."
    return replace(node, fate="left out", cluster="", reason=reason)


_ESTIMATED = "By an estimate TensorFlow is the quickest with its cluster: "
