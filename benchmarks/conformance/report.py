"""The conformance report: counts, every difference with its cause, the layer types that were checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.conformance.causes import cause
from benchmarks.conformance.run import Attempt, Result

_HEADER = """# Conformance of the reference engine

`make conformance` takes ONNX's own node tests (`onnx.backend.test`), lets NVIDIA's parser make a TensorRT network of
each, runs the network through the engine `reference`, and compares with the outputs that ONNX ships with the test. So
neither the networks nor the numbers are ours. TensorRT-RTX also builds every network (for compute capability 12.0, on
the CPU). Inputs that TensorRT wants as constants (shapes, axes) become initializers: none if that will do, then
small integers, then all but the first, in the last resort all. Tolerances are those of the tests (relative 1e-3,
absolute 1e-7 unless they say otherwise); FP16 and BF16 outputs get 2e-3 and 2e-2 at least. This file is generated.
"""


@dataclass(frozen=True)
class Summary:
    """How many cases there are, are parsed, are built, agree among those built, and agree among those parsed."""

    cases: int
    parsed: int
    built: int
    agree: int
    parsed_agree: int

    @classmethod
    def of(cls, results: Iterable[Result]) -> Summary:
        """Count."""
        results = list(results)
        finals = [final for result in results if (final := result.final) is not None]
        return cls(
            len(results),
            len(finals),
            sum(f.built is True for f in finals),
            sum(f.built is True and f.agrees is True for f in finals),
            sum(f.agrees is True for f in finals),
        )


def markdown(results: Sequence[Result]) -> str:
    """Return the report as Markdown."""
    summary = Summary.of(results)
    tried = [(result.name, final) for result in results if (final := result.final) is not None]
    lines = [_HEADER, "| node tests | number |", "| --- | ---: |"]
    lines += [
        f"| in ONNX {_onnx_version()} | {summary.cases} |",
        f"| parsed by TensorRT-RTX {_tensorrt_version()} | {summary.parsed} |",
        f"| of these, agree | {summary.parsed_agree} |",
        f"| built | {summary.built} |",
        f"| **of these, agree** | **{summary.agree}** |",
        "",
        "## Built, and different",
        "",
        *_differences((name, final) for name, final in tried if final.built is not False),
        "## Not built, and different",
        "",
        *_differences((name, final) for name, final in tried if final.built is False),
        "## Parsed, and not built",
        "",
        *_reasons(final.refusal for _, final in tried if final.built is False),
        "## Layer types in the cases that agree",
        "",
        *_kinds(final for _, final in tried if final.agrees),
    ]
    return "\n".join(lines) + "\n"


def _differences(items: Iterable[tuple[str, Attempt]]) -> list[str]:
    rows = [
        f"| `{name}` | {_cell(final.difference)} | {cause(name)} |" for name, final in items if final.agrees is False
    ]
    if not rows:
        return ["None.", ""]
    return ["| test | difference | cause |", "| --- | --- | --- |", *rows, ""]


def _reasons(refusals: Iterable[str]) -> list[str]:
    counts = Counter(_cell(refusal.splitlines()[0]) for refusal in refusals if refusal)
    if not counts:
        return ["None.", ""]
    return ["| TensorRT's reason | tests |", "| --- | ---: |", *(f"| {r} | {n} |" for r, n in counts.most_common()), ""]


def _kinds(finals: Iterable[Attempt]) -> list[str]:
    counts = Counter(kind for final in finals for kind in final.kinds.split())
    return ["| layer | tests |", "| --- | ---: |", *(f"| {kind} | {n} |" for kind, n in counts.most_common())]


def _cell(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    return text if len(text) <= 200 else text[:199] + "…"


def _onnx_version() -> str:
    from importlib.metadata import version

    return version("onnx")


def _tensorrt_version() -> str:
    from importlib.metadata import version

    return version("tensorrt-rtx-cu12")
