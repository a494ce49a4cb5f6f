"""A run: for each row the graph, the contenders and the times, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.bench.contenders import CONTENDERS
from benchmarks.bench.files import FOLDER, made
from benchmarks.bench.rows import KERAS, Row
from benchmarks.bench.store import Measured, Store
from benchmarks.bench.summary import failure
from benchmarks.zoo.process import Limits, run_process
from benchmarks.zoo.stages.job import Job

_STAGES = "benchmarks.bench.stages"
_WITHOUT_ONEDNN = frozenset({"prepare", "check"})


@dataclass(frozen=True)
class Settings:
    """What a run does.

    Args:
        zoo: the folder of the rebuilt models.
        contenders: who is made, where they are not yet; whoever was made before is timed with them.
        precisions: which of the contenders' precisions take part.
        rounds, seconds: interleaved rounds, fewer if they would take longer than so many seconds.
        search_seconds: how long `engine="auto"` may time engines.
        threads: intra-op threads of every contender.
        more: whether rows that were timed are timed further.
        limits: of a stage.
    """

    zoo: Path
    contenders: Sequence[str]
    precisions: Sequence[str]
    rounds: int
    seconds: float
    search_seconds: float
    threads: int
    more: bool = False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class RowRun:
    """The run of a row; what is in the store already is not done again."""

    row: Row
    settings: Settings
    store: Store
    say: Callable[[str], None]

    @property
    def measured(self) -> Measured:
        """What is known of the row."""
        return self.store.rows.get(self.row.key, {})

    def run(self) -> None:
        """Do what is missing."""
        if not self._prepared():
            return
        for name in self.row.contenders(self.settings.contenders, self.settings.precisions):
            if not self._is_made(name):
                self.store.made(self.row.key, name, self._make(name))
        before = self.measured.get("timing", {}).get("rounds_ms", {}) if self.settings.more else {}
        if "timing" not in self.measured or before:
            working = [name for name in self.measured.get("made", {}) if failure(self.measured, name) is None]
            options = {"contenders": working, "seconds": self.settings.seconds, "before": before}
            self.store.put(self.row.key, "timing", self._do("timing", "timing", options))

    def _prepared(self) -> bool:
        known = self.measured.get("prepare")
        if known is None or (_usable(known) and not self._job({}).graph.is_file()):
            known = self._do("prepare", "prepare", {"model": self.row.model, "batch": self.row.batch})
            self.store.put(self.row.key, "prepare", known)
        return _usable(known)

    def _is_made(self, name: str) -> bool:
        result = self.measured.get("made", {}).get(name)
        if result is None:
            return False
        return result["status"] != "ok" or made(self._job({}), name).is_file()

    def _make(self, name: str) -> Measured:
        contender = CONTENDERS[name]
        options = {"contender": name, "precision": contender.precision, **contender.options}
        if contender.options.get("engine") == "auto":
            options["search_seconds"] = self.settings.search_seconds
        result = self._do(contender.stage, name, options)
        if contender.stage == "graft" and result["status"] == "ok" and not result["agrees"]:
            # Native nodes may be off where oneDNN is on, as TensorFlow itself is; engines must not.
            checked = self._do("check", f"{name} without oneDNN", options)
            result.update({key: checked[key] for key in ("error", "unequal", "agrees") if key in checked})
        return result

    def _job(self, options: Mapping[str, Any]) -> Job:
        settings = self.settings
        models, work = (FOLDER.absolute() / part for part in ("models", "run"))
        work.mkdir(parents=True, exist_ok=True)
        zoo = None if self.row.model in KERAS else str(settings.zoo.absolute())
        return Job(self.row.label, models, work, settings.threads, settings.rounds, {"zoo": zoo, **options})

    def _do(self, stage: str, title: str, options: Mapping[str, Any]) -> Measured:
        job = self._job(options)
        worker = ("benchmarks.bench.worker", f"{_STAGES}.{stage}")
        files = job.work / f"{job.name}.{title.replace(' ', '_')}"
        result = run_process(worker, job.to_json(), files, self.settings.limits, stage in _WITHOUT_ONEDNN)
        self.say(f"{self.row.key} {title}: {_brief(result)}")
        return result


def _usable(prepared: Measured) -> bool:
    return prepared["status"] == "ok" and "fixed" not in prepared


def _brief(result: Measured) -> str:
    shown = []
    for key, value in {**result.get("ms", {}), **result}.items():
        if isinstance(value, str | int | float):
            shown.append(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}")
    return ", ".join(shown)
