"""Checking all cases in a child process, which is made anew when TensorRT ends it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from benchmarks.conformance.cases import Case
from benchmarks.conformance.check import check

_PATIENCE_SECONDS = 180


@dataclass
class Attempt:
    """What came out of one variant of a case; see `check`. `detail` is about the difference or the refusal."""

    kinds: str = ""
    agrees: bool | None = None
    difference: str = ""
    built: bool | None = None
    refusal: str = ""


@dataclass
class Result:
    """What came out of one case: why it was not parsed, and an attempt for each variant that was."""

    name: str
    unusable: str = ""
    unparsed: str = ""
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def final(self) -> Attempt | None:
        """The attempt that was built, or else the last that agrees, or else the last."""
        ranked = sorted(self.attempts, key=lambda a: (bool(a.built), bool(a.agrees)))
        return ranked[-1] if ranked else None

    def take(self, event: str, detail: str) -> None:
        """Note an event of `check`."""
        if event == "unparsed":
            self.unparsed = self.unparsed or detail
        elif event == "parsed":
            self.attempts.append(Attempt(detail))
        elif event in ("agrees", "differs"):
            self.attempts[-1].agrees, self.attempts[-1].difference = event == "agrees", detail
        else:
            self.attempts[-1].built, self.attempts[-1].refusal = event == "built", detail

    def died(self, how: str) -> None:
        """Note that the process ended while it worked on this case."""
        if not self.attempts or self.attempts[-1].built is not None:
            self.unparsed = self.unparsed or how
        elif self.attempts[-1].agrees is None:
            self.take("differs", how)
        else:
            self.take("refused", how)


def run_cases(
    cases: Mapping[str, Case | str], build: bool, progress: Callable[[Result], None] = lambda result: None
) -> list[Result]:
    """Check every case; `progress` gets each result as it comes."""
    results = {name: Result(name, case if isinstance(case, str) else "") for name, case in cases.items()}
    todo = [name for name, case in cases.items() if isinstance(case, Case)]
    context = multiprocessing.get_context("fork")  # the cases are there already, and loading them takes long
    while todo:
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_work, args=(cases, tuple(todo), build, theirs), daemon=True)
        child.start()
        theirs.close()
        how = _receive(ours, results, todo, progress)
        if how:
            child.kill()
        child.join()
        if todo:
            results[todo[0]].died(how or f"the process ended with {child.exitcode}")
            progress(results[todo.pop(0)])
    return list(results.values())


def _receive(
    connection: Connection, results: Mapping[str, Result], todo: list[str], progress: Callable[[Result], None]
) -> str:
    """Take events until the child ends; strike finished cases off `todo`. Returns why the child must be ended."""
    try:
        while connection.poll(_PATIENCE_SECONDS):
            name, event, detail = connection.recv()
            if event == "done":
                todo.remove(name)
                progress(results[name])
            else:
                results[name].take(event, detail)
    except EOFError:
        return ""
    return f"nothing came of it within {_PATIENCE_SECONDS} s"


def _work(cases: Mapping[str, Case | str], names: Sequence[str], build: bool, connection: Connection) -> None:
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)  # TensorRT's parser writes to both
    os.dup2(silent, 2)
    for name in names:
        case = cases[name]
        if isinstance(case, Case):
            check(case, build, lambda event, detail, name=name: connection.send((name, event, detail)))  # type: ignore[misc]
            connection.send((name, "done", ""))
