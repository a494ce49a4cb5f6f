"""Whether `engine="auto"` chooses right: what it chose, timed against every assignment of engines to clusters.

    python -m benchmarks.exhaustive [--only handtrack_ssd,guesslang] [--limit 40] [--rounds 15] [--json FILE]

Of each model of the zoo (`python -m benchmarks.zoo fetch`), in a process of its own: every engine forms and builds its
clusters as if it were alone, light ones too. Assignments are sets of such clusters that get along, the others left to
TensorFlow: none, each cluster alone, all of one engine, and all combinations, or, where there are more than `--limit`,
some of them by chance. All that compute the same as TensorFlow (or as the choice: TensorFlow's own kernels may be off)
are timed in a few interleaved rounds; the best of them, TensorFlow and the choice once more in many, each in a second
Session too, and the quicker one counts: a Session may be slow for as long as it lives, and the best of 40 is one that
had luck. Printed is how much longer the choice takes than the best, as the median of the rounds' ratios: 1.00 where the
choice is the best.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.zoo.cli import MODELS_DIR
from benchmarks.zoo.process import Limits, run_process

DEFAULT = ("handtrack_ssd", "guesslang", "facemesh_attention", "movenet_lightning", "textgenrnn_lstm")
"""Models with several clusters, or with which engines differ."""
ENGINES = ("onnxruntime", "openvino", "litert", "xla")
MOST = 1.03
CHOSEN, NATIVE = "chosen", "TensorFlow"
FINALISTS = 4
_SCREENING = 3
_BOUND, _GROSS = 1e-4, 5e-2


@dataclass(frozen=True)
class Piece:
    """A cluster of some engine: what it is, for telling whether two assignments are the same, and its engine."""

    engine: str
    function: str
    nodes: frozenset[str]
    built: Any = field(compare=False, repr=False, default=None)

    def __str__(self) -> str:
        return f"{self.engine}({len(self.nodes)})"


Assignment = tuple[Piece, ...]


def assignments(graphs: Mapping[str, Any], pieces: Sequence[Piece], limit: int, seed: int = 0) -> list[Assignment]:
    """Return sets of pieces that get along: none, each alone, all of each engine, and others up to a limit."""
    found: dict[frozenset[Piece], Assignment] = {}

    def add(group: Iterable[Piece]) -> None:
        kept = _fitting(graphs, group)
        if len(found) < limit:
            found.setdefault(frozenset(kept), kept)

    add(())
    for engine in dict.fromkeys(piece.engine for piece in pieces):
        add(piece for piece in pieces if piece.engine == engine)
    for piece in pieces:
        add((piece,))
    if len(pieces) <= 10:
        for count in range(2, len(pieces) + 1):
            for group in itertools.combinations(pieces, count):
                add(group)
        return list(found.values())
    chance = random.Random(seed)
    for _ in range(20 * limit):
        add(chance.sample(pieces, len(pieces)))
    return list(found.values())


def _fitting(graphs: Mapping[str, Any], group: Iterable[Piece]) -> Assignment:
    """Return the pieces of a group that can be taken together, the first ones first."""
    from tfgraft.choice.assign import is_acyclic

    kept: list[Piece] = []
    for piece in group:
        beside = [p.nodes for p in kept if p.function == piece.function]
        if not any(piece.nodes & nodes for nodes in beside) and is_acyclic(
            graphs[piece.function], [*beside, piece.nodes]
        ):
            kept.append(piece)
    return tuple(kept)


@dataclass(frozen=True)
class BuildAll:
    """A pass in the place of `build_engines`: every engine builds as if it were alone; `ctx.results["pieces"]`."""

    specs: tuple[Any, ...]
    tagging: Any
    forming: Any
    name: ClassVar[str] = "build_all"

    def run(self, graph: Any, ctx: Any) -> Any:
        """Build; the graph is not changed."""
        from tfgraft import runtime
        from tfgraft.passes.base import PassResult
        from tfgraft.passes.build_engines import BuildEngines
        from tfgraft.passes.form_clusters import members

        forming = replace(self.forming, cut_light=False)
        graphs = {one.name: one for one in ctx.graphs(graph)}
        pieces: list[Piece] = []
        for spec in self.specs:
            runtime.register_engine(spec.builder)
            own = replace(ctx, engine=spec.name, options=spec.options, results={}, diagnostics=[])
            for step in (self.tagging, forming, BuildEngines(forming)):
                step.run(graph, own)
            for built in own.results["built"]:
                where = graphs[built.cluster.function]
                pieces.append(Piece(spec.name, where.name, frozenset(members(where, built.cluster)), built))
        ctx.results["pieces"] = pieces
        return PassResult(summary=f"{len(pieces)} clusters")


def compare(name: str, models: Path, engines: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Time the choice and the assignments of one model.

    Returns:
        "ratio": the choice's time by that of the best assignment, 1 if they are the same; "chosen" and "best", in
        words; "ms" by finalist; "tried", "wrong": counts of assignments.
    """
    import tfgraft
    from benchmarks.zoo.stages.calls import Call, session_call
    from benchmarks.zoo.stages.job import Job
    from benchmarks.zoo.stages.timing import time_calls
    from tfgraft.choice.contenders import grafted
    from tfgraft.choice.search import Search
    from tfgraft.distance import distance
    from tfgraft.engines import engine_specs
    from tfgraft.job import Job as Passes
    from tfgraft.load import load
    from tfgraft.passes.default import default_pipeline
    from tfgraft.registry.registry import Registry

    threads, rounds = options["threads"], options["rounds"]
    job = Job(name, models, models / "run", threads, rounds, {})
    feed, outputs = job.feed(), job.outputs
    loaded = load(str(job.graph), outputs=outputs)
    search = Search([feed], seconds=options["seconds"], threads=threads)
    auto = tfgraft.optimize(loaded, engine=list(engines), search=search, strict=True)
    registry = Registry.default()
    pipeline = default_pipeline()
    tagging, forming = (next(s for s in pipeline.passes if s.name == n) for n in ("tag_support", "form_clusters"))
    specs = engine_specs(registry, list(engines), {})
    pipeline = pipeline.replace("build_engines", BuildAll(specs, tagging, forming)).without("replace_clusters")
    run = Passes(loaded, registry, specs[0].name).run(pipeline)
    graphs = {one.name: one for one in run.ctx.graphs(run.graph)}
    chosen = tuple(
        Piece(c.engine, c.function, frozenset(n for n in c.nodes if graphs[c.function].node(n).op != "Const"))
        for c in auto.report.clusters
    )
    tried = assignments(graphs, run.ctx.results["pieces"], options["limit"])

    def call(graph_def: Any) -> Call:
        return session_call(graph_def, outputs, feed, intra=threads, inter=0)

    def graph_of(key: str) -> Any:
        if key in given:
            return given[key]
        return grafted(run.graph, [piece.built for piece in names[key]], run.ctx, strict=True)[0]

    given = {NATIVE: loaded.graph_def, CHOSEN: auto.graph_def}
    calls = {key: call(graph_def) for key, graph_def in given.items()}
    wanted, choice = calls[NATIVE](), calls[CHOSEN]()
    names: dict[str, Assignment] = {NATIVE: (), CHOSEN: chosen}
    wrong = 0
    for assignment in tried:
        key = " + ".join(map(str, assignment))
        if not assignment or set(assignment) == set(chosen):
            continue
        key = key if key not in names else f"{key} #{len(names)}"
        names[key] = assignment
        graph_def = graph_of(key)
        try:
            one = call(graph_def)
            got = one()
        except Exception as error:  # an engine may fail in any way
            print(f"{name}: {key} does not run: {error}", flush=True)
            wrong += 1
            continue
        far, near = (max(map(distance, other, got), default=0.0) for other in (wanted, choice))
        if min(far, near) > _BOUND or far > _GROSS:
            wrong += 1
            continue
        calls[key] = one
    if not chosen:
        del calls[CHOSEN]
    screened = {key: statistics.median(t) for key, t in time_calls(calls, rounds=_SCREENING).items()}
    rest = sorted((key for key in calls if key not in (NATIVE, CHOSEN)), key=lambda key: screened[key])
    finalists = [key for key in (NATIVE, CHOSEN) if key in calls] + rest[:FINALISTS]
    sessions = {key: calls[key] for key in finalists} | {f"{key}, again": call(graph_of(key)) for key in finalists}
    timed = time_calls(sessions, rounds=rounds)
    times = {key: min(timed[key], timed[f"{key}, again"], key=statistics.median) for key in finalists}
    mine = CHOSEN if chosen else NATIVE
    best = min(times, key=lambda key: statistics.median(times[key]))
    ratio = statistics.median(a / b for a, b in zip(times[mine], times[best], strict=True))
    return {
        "ratio": ratio,
        "chosen": " + ".join(map(str, chosen)) or NATIVE,
        "best": "the choice" if best == mine else best,
        "ms": {key: 1000 * statistics.median(values) for key, values in times.items()},
        "rounds_ms": {key: [round(1000 * value, 4) for value in values] for key, values in times.items()},
        "tried": len(tried),
        "wrong": wrong,
    }


def _one(result: Path) -> None:
    job = json.loads(sys.stdin.read())
    try:
        found = compare(job["name"], Path(job["models"]), job["engines"], job["options"])
        found["status"] = "ok"
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        found = {"status": "failed", "why": f"{type(error).__name__}: {lines[0][:300]}"}
    result.write_text(json.dumps(found), encoding="utf-8")


def main() -> int:
    """Print the table; the exit code is the number of models with which the choice is more than 3 % off, or fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default=",".join(DEFAULT), help="models of the zoo (%(default)s)")
    parser.add_argument("--engines", default=",".join(ENGINES), help="engines (%(default)s)")
    parser.add_argument("--models", type=Path, default=MODELS_DIR, help="the folder of models (%(default)s)")
    parser.add_argument("--limit", type=int, default=40, help="assignments tried, at most (%(default)s)")
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="intra-op threads (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="how long the choice may time (%(default)s)")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds that a model may take (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--one", type=Path, metavar="RESULT", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one is not None:
        _one(args.one)
        return 0
    options = {key: getattr(args, key) for key in ("limit", "rounds", "threads", "seconds")}
    work = args.models.absolute() / "run"
    work.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Any] = {}
    for name in args.only.split(","):
        job = {
            "name": name,
            "models": str(args.models.absolute()),
            "engines": args.engines.split(","),
            "options": options,
        }
        module = ("benchmarks.exhaustive", "--one")
        row = run_process(module, json.dumps(job), work / f"{name}.exhaustive", Limits(args.timeout))
        rows[name] = row
        print(_line(name, row), flush=True)
        if args.json is not None:
            args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return sum(row["status"] != "ok" or row["ratio"] > MOST for row in rows.values())


def _line(name: str, row: Mapping[str, Any]) -> str:
    if row["status"] != "ok":
        return f"{name}: {row['status']}: {row['why']}"
    ms = row["ms"]
    mine = ms.get(CHOSEN, ms[NATIVE])
    counts = f"{row['tried']} assignments, {row['wrong']} wrong"
    return (
        f"{name}: {row['ratio']:.3f} times the best's time; chosen {row['chosen']} {mine:.3g} ms; best {row['best']} "
        f"{min(ms.values()):.3g} ms; TensorFlow {ms[NATIVE]:.3g} ms; {counts}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
