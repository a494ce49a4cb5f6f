"""`python -m benchmarks.conformance [--match TEXT] [--no-build] [--markdown FILE]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from benchmarks.conformance.cases import Case, load_cases
from benchmarks.conformance.report import Summary, markdown
from benchmarks.conformance.run import Result, run_cases

AT_LEAST = 1020
"""How many of the cases that build have to agree when all of them are run."""


def main(arguments: list[str] | None = None) -> int:
    """Run the cases, print and write the report; 1 if fewer agree than have to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conformance", description=__doc__)
    parser.add_argument("--match", action="append", help="only cases whose name contains this text; may be repeated")
    parser.add_argument("--no-build", action="store_true", help="parse and interpret only")
    parser.add_argument("--markdown", type=Path, help="write the report to this file")
    options = parser.parse_args(arguments)
    cases = load_cases()
    if options.match:
        cases = {name: case for name, case in cases.items() if any(text in name for text in options.match)}
    with tqdm(total=sum(isinstance(case, Case) for case in cases.values()), disable=None) as bar:

        def progress(result: Result) -> None:
            bar.update()

        results = run_cases(cases, not options.no_build, progress)
    text = markdown(results)
    print(text)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    summary = Summary.of(results)
    return int(not options.match and not options.no_build and summary.agree < AT_LEAST)


if __name__ == "__main__":
    sys.exit(main())
