"""A run over the zoo: for each model the reference, the graft, the peer and the speed, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.zoo.process import Limits, run_stage
from benchmarks.zoo.results import Results, Row, peer_failure, tfgraft_failure
from benchmarks.zoo.stages.job import Job

BASELINES = (("session", 1), ("session", 2), ("single", 1))
"""Ways of calling TensorFlow (method, inter-op threads). A function's flat call was always slower than a Session's
callable made from options, and crashes TensorFlow on one model, so it is not tried."""


@dataclass(frozen=True)
class Settings:
    """What a run does.

    Args:
        models: the folder with the rebuilt models.
        work: the folder for grafted graphs, references and logs.
        threads: intra-op threads of every contender.
        rounds: interleaved rounds of the speed stage.
        graft, speed, peers: which parts to do.
        limits: of every stage.
    """

    models: Path
    work: Path
    threads: int = 2
    rounds: int = 15
    graft: bool = True
    speed: bool = True
    peers: bool = False
    limits: Limits = field(default_factory=Limits)


def run(names: Sequence[str], settings: Settings, results: Results, say: Callable[[str], None]) -> None:
    """Run the stages of each model that are not in the results yet."""
    settings.work.mkdir(parents=True, exist_ok=True)
    for name in names:
        _Model(name, settings, results, say).run()


@dataclass(frozen=True)
class _Model:
    name: str
    settings: Settings
    results: Results
    say: Callable[[str], None]

    @property
    def row(self) -> Row:
        return self.results.rows.get(self.name, {})

    def run(self) -> None:
        settings = self.settings
        if self.stage("reference")["status"] != "ok":
            return
        if settings.graft:
            self.stage("graft")
        if settings.peers:
            self.peer()
        if settings.speed:
            self.speed()

    def stage(self, stage: str, **options: Any) -> Row:
        """Do a stage unless its result is there, and return its result."""
        done = self.row.get(stage)
        if done is not None and self.left_by(stage):
            return dict(done)
        result = self.do(stage, **options)
        self.results.put(self.name, stage, result)
        return result

    def left_by(self, stage: str) -> bool:
        """Say whether the file that later stages want from this one is there."""
        job = self.job()
        wanted = {"reference": job.reference, "graft": job.grafted, "peer_convert": job.onnx}.get(stage)
        return wanted is None or wanted.is_file() or self.row[stage]["status"] != "ok"

    def do(self, stage: str, **options: Any) -> Row:
        result = run_stage(stage, self.job(**options), self.settings.limits)
        shown = ", ".join(f"{key} {_brief(value)}" for key, value in result.items() if _is_brief(value))
        self.say(f"{self.name} {stage}: {shown}")
        return result

    def job(self, **options: Any) -> Job:
        settings = self.settings
        return Job(self.name, settings.models, settings.work, settings.threads, settings.rounds, options)

    def peer(self) -> None:
        """Convert (once for each model: the conversion and its cost are kept) and check."""
        if self.stage("peer_convert")["status"] == "ok":
            self.stage("peer_check")

    def speed(self) -> None:
        """Find TensorFlow's fastest way of running the original, then time everybody that works."""
        if "speed" in self.row:
            return
        trial = self.do("baseline", ways=BASELINES)
        ways = trial.get("ways", [])
        if not ways:
            self.results.put(self.name, "speed", trial)
            return
        method, inter, _ = min(ways, key=lambda way: float(way[2]))
        peer = self.settings.peers and peer_failure(self.row) is None
        result = self.do("speed", method=method, inter=inter, grafted=self.graft_works(), peer=peer)
        self.results.put(self.name, "speed", {**result, "baselines": ways})

    def graft_works(self) -> bool:
        return self.settings.graft and tfgraft_failure(self.row) is None


def _is_brief(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _brief(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
