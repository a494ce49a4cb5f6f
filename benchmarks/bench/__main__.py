"""`python -m benchmarks.bench [run] [page]`: time the models with everybody, and write the page; by default both.

A row is a model with a batch. What has been done is in .zoo/bench/results.json and is not done again, so a run that was
stopped goes on; `--again` does the rows that are named anew, or only their contenders that are named, and times them;
`--more` adds rounds to what was timed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench.contenders import CONTENDERS, PRECISIONS
from benchmarks.bench.files import FOLDER

_RESULTS = FOLDER / "results.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the commands."""
    options = _parser().parse_args(arguments)
    # Before TensorFlow loads, and for it alone: it reads this once.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    commands = options.commands or ["run", "page"]
    if unknown := set(commands) - {"run", "page"}:
        sys.exit(f"there is no command {', '.join(sorted(unknown))}; there are run and page")
    if "run" in commands:
        run(options)
    if "page" in commands:
        from benchmarks.bench.page import write
        from benchmarks.bench.store import Store

        write(Store.open(options.results).rows, options.page)
        print(f"page: {options.page}")


def run(options: argparse.Namespace) -> None:
    """Measure the rows that are wanted."""
    from benchmarks.bench.rows import BATCHES, MODELS, rows
    from benchmarks.bench.run import RowRun, Settings
    from benchmarks.bench.store import Store
    from benchmarks.zoo.process import Limits

    models = _chosen(options.only, MODELS)
    batches = [int(batch) for batch in _chosen(options.batches, [str(batch) for batch in BATCHES])]
    settings = Settings(
        zoo=options.models,
        contenders=_chosen(options.contenders, list(CONTENDERS)),
        precisions=_chosen(options.precisions, PRECISIONS),
        rounds=options.rounds,
        seconds=options.seconds,
        search_seconds=options.search_seconds,
        threads=options.threads,
        more=options.more,
        limits=Limits(options.timeout, options.memory),
    )
    store = Store.open(options.results)
    for row in rows(models, batches):
        if options.again and options.contenders is None and options.precisions is None:
            store.rows.pop(row.key, None)
        elif options.again:
            store.forget(row.key, row.contenders(settings.contenders, settings.precisions))
        RowRun(row, settings, store, lambda text: print(text, flush=True)).run()
    print(f"results: {store.path}")


def _chosen(given: str | None, known: Sequence[str]) -> list[str]:
    """Return what a list on the command line names, in the order of what is known."""
    names = set(known if given is None else given.split(","))
    if unknown := names - set(known):
        sys.exit(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [name for name in known if name in names]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help="run, page; default both")
    parser.add_argument("--only", metavar="A,B", help="these models only")
    parser.add_argument("--batches", metavar="1,8", help="these batches only")
    parser.add_argument("--precisions", metavar="FP32,INT8", help="contenders of these precisions only")
    parser.add_argument("--contenders", metavar="A,B", help=f"of {', '.join(CONTENDERS)}; default all")
    parser.add_argument("--again", action="store_true", help="do what is there already anew")
    parser.add_argument("--more", action="store_true", help="add rounds to those of rows that were timed")
    parser.add_argument("--rounds", type=int, default=11, help="interleaved rounds (%(default)s)")
    parser.add_argument("--seconds", type=float, default=40, help="that rounds may take, at least 5 (%(default)s)")
    parser.add_argument("--search-seconds", type=float, default=60, help='that engine="auto" times (%(default)s)')
    parser.add_argument("--threads", type=int, default=2, help="intra-op threads (%(default)s)")
    parser.add_argument("--timeout", type=float, default=600, help="seconds a stage may take (%(default)s)")
    parser.add_argument("--memory", type=float, default=12, help="gigabytes a stage may take (%(default)s)")
    parser.add_argument("--models", type=Path, default=Path(".zoo"), help="the zoo's rebuilt models (%(default)s)")
    parser.add_argument("--results", type=Path, default=_RESULTS, help="(%(default)s)")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"), help="(%(default)s)")
    return parser


if __name__ == "__main__":
    main()
