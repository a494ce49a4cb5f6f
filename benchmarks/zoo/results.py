"""Results of a run: one row a model, kept in a JSON file that is whole after every stage."""

from __future__ import annotations

import json
import math
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

Row = dict[str, Any]
PACKAGES = ("tensorflow", "tensorflow-cpu", "onnxruntime", "tf2onnx", "numpy")


@dataclass
class Results:
    """The rows of a run by model; each maps a stage to its result."""

    path: Path
    about: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, *, resume: bool, settings: Mapping[str, Any]) -> Results:
        """Start results, or with `resume` go on with those in the file."""
        rows: dict[str, Row] = {}
        if resume and path.is_file():
            rows = json.loads(path.read_text(encoding="utf-8"))["models"]
        return cls(path, {**machine(), **settings}, rows)

    def put(self, model: str, stage: str, result: Row) -> None:
        """Add a stage's result and write the file (by a rename, so that a killed run leaves a whole one)."""
        self.rows.setdefault(model, {})[stage] = result
        content = {"about": self.about, "summary": summary(self.rows).__dict__, "models": self.rows}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(self.path)


@dataclass(frozen=True)
class Summary:
    """A run in numbers.

    Args:
        models: how many rows there are.
        tfgraft, peer: geometric means of the ratios to TensorFlow's time; a contender that failed counts as 1.
        tfgraft_lowest: the smallest ratio of a grafted graph, and `tfgraft_lowest_model` its model.
        tfgraft_failures, peer_failures: the models that did not convert, run and agree.
    """

    models: int
    tfgraft: float | None
    peer: float | None
    tfgraft_lowest: float | None
    tfgraft_lowest_model: str | None
    tfgraft_failures: list[str]
    peer_failures: list[str]


def tfgraft_ratio(row: Row) -> float | None:
    """TensorFlow's time over the grafted graph's, or None if either was not timed."""
    return _ratio(row, "tfgraft")


def peer_ratio(row: Row) -> float | None:
    """TensorFlow's time over the peer's, or None if either was not timed."""
    return _ratio(row, "peer")


def tfgraft_failure(row: Row) -> str | None:
    """Why the model counts as a failure of tfgraft, or None."""
    graft = row.get("graft")
    if graft is None:
        return None
    if graft["status"] != "ok":
        return f"{graft['status']}: {graft['why']}"
    if not graft["agrees"]:
        return f"wrong: error {graft['error']}" + (f", {graft['unequal']} not equal" if graft["unequal"] else "")
    if row.get("speed", {}).get("status", "ok") != "ok":
        return f"speed: {row['speed']['status']}: {row['speed']['why']}"
    return None


def peer_failure(row: Row) -> str | None:
    """Why the model counts as a failure of the peer, or None."""
    for stage, verb in (("peer_convert", "conversion"), ("peer_check", "run")):
        result = row.get(stage)
        if result is not None and result["status"] != "ok":
            return f"{verb} {result['status']}: {result['why']}"
        if result is not None and not result.get("agrees", True):
            return f"wrong: error {result['error']}" + (f", {result['unequal']} not equal" if result["unequal"] else "")
    return None


def summary(rows: Mapping[str, Row]) -> Summary:
    """Sum a run up; models whose TensorFlow time is not known have no ratio and do not count in the means."""
    timed = {name: row for name, row in rows.items() if row.get("speed", {}).get("status") == "ok"}
    ours = {name: tfgraft_ratio(row) or 1.0 for name, row in timed.items() if "graft" in row}
    peers = [peer_ratio(row) or 1.0 for row in timed.values() if "peer_convert" in row]
    ran = {name: ratio for name, ratio in ours.items() if tfgraft_ratio(timed[name]) is not None}
    lowest = min(ran, key=lambda name: ran[name], default=None)
    return Summary(
        models=len(rows),
        tfgraft=geometric_mean(ours.values()),
        peer=geometric_mean(peers),
        tfgraft_lowest=None if lowest is None else ran[lowest],
        tfgraft_lowest_model=lowest,
        tfgraft_failures=[name for name, row in rows.items() if tfgraft_failure(row)],
        peer_failures=[name for name, row in rows.items() if peer_failure(row)],
    )


def _ratio(row: Row, contender: str) -> float | None:
    ms: dict[str, float] = row.get("speed", {}).get("ms", {})
    if contender not in ms or "tensorflow" not in ms:
        return None
    return ms["tensorflow"] / ms[contender]


def geometric_mean(values: Iterable[float]) -> float | None:
    """Return the geometric mean, or None if there are no values."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else None


_INSTRUCTIONS = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX VNNI"} | {
    "amx_int8": "AMX INT8"
}


def machine(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Return Python's version, the processor and the versions of those packages that are installed."""
    versions = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "processor": processor(), "versions": versions}


def processor() -> str:
    """Return the processor's name, and which of the instructions that matter to integer kernels it has."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or platform.machine()
    facts = dict(re.findall(r"^(model name|flags)\s*:\s*(.*)$", info.read_text(encoding="utf-8"), re.MULTILINE))
    flags = facts.get("flags", "").split()
    has = [name for flag, name in _INSTRUCTIONS.items() if flag in flags]
    return f"{facts.get('model name', platform.machine())} ({', '.join(has) or 'no vectors'})"
