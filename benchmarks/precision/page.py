"""docs/precision_results.md, made of what was measured."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.precision import digits, rtx, speed, vision, zoo
from benchmarks.precision.decisions import DECISIONS
from benchmarks.precision.worker import WORK, kept
from benchmarks.zoo.models import MODELS

CURVE = "selfie_seg"
"""The model whose curve is shown; its picture goes into the folder images/ beside the page."""
Row = Mapping[str, Any]

_HEAD = """# What lower precision costs and brings

Made by `make precision`, with two threads; TensorFlow {tensorflow}, ONNX Runtime {onnxruntime},
TensorRT-RTX {rtx}. How it works is in [int8.md](int8.md) and [precision.md](precision.md).
"""


def write(path: Path) -> None:
    """Write the page, and the curve's picture if it was drawn."""
    picture, drawn = path.parent / "images" / "accuracy_curve.png", WORK / f"{CURVE}.png"
    if drawn.exists():
        picture.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(drawn, picture)
    path.write_text(page(picture.exists()), encoding="utf-8")


def page(curve: bool) -> str:
    """Return the page; `curve` is whether the curve's picture is there."""
    names = {"tensorflow": "tensorflow-cpu", "onnxruntime": "onnxruntime", "rtx": "tensorrt-rtx-cu12"}
    head = _HEAD.format(**{key: version(name) for key, name in names.items()})
    parts = {"digits": _digits, "vision": lambda: _vision(curve), "speed": _speed, "rtx": _rtx, "zoo": _zoo}
    return "\n".join([head, *(part() + _where(table) for table, part in parts.items() if kept(table))])


def _where(table: str) -> str:
    """Tell on which processors a table was measured, and which rows on which, if there are several."""
    found: dict[str, list[str]] = {}
    for key, row in kept(table).items():
        found.setdefault(row.get("processor", "a processor that was not noted"), []).append(key)
    if len(found) == 1:
        return f"\nMeasured on two processors of {next(iter(found))}.\n"
    return "\n" + "".join(f"On two processors of {name}: {', '.join(keys)}.\n\n" for name, keys in found.items())


def _table(head: list[str], rows: list[list[Any]]) -> str:
    padded = [[*row, *[""] * (len(head) - len(row))] for row in rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in [head, ["---"] * len(head), *padded]) + "\n"


def _bad(row: Row) -> str:
    return f"{row['status']}: {row.get('why', '')}".replace("|", "/")


def _measured(table: str, order: Mapping[str, Any] | tuple[str, ...]) -> Iterator[tuple[str, Row]]:
    """Yield the rows that were measured, in the table's order; their names begin with the model's."""
    rows = kept(table)
    yield from ((key, rows[key]) for name in order for key in rows if key.partition(" ")[0] == name)


def _names(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _digits() -> str:
    text = _DIGITS.format(bar=100 * digits.BAR)
    for _, row in _measured("digits", ("digits",)):
        if row["status"] != "ok":
            return f"{text}{_bad(row)}\n"
        lines = [["FP32", f"{100 * row['FP32']:.2f}"]]
        for name, each in row["lowered"].items():
            points = f"{100 * (each['accuracy'] - row['FP32']):+.2f}"
            lines.append([name, f"{100 * each['accuracy']:.2f}", points, f"{each['error']:.1e}", each["nodes"]])
        text += _table(["", f"% of {row['images']} images", "points", "error of the outputs", "nodes lowered"], lines)
    return text


def _vision(curve: bool) -> str:
    head = ["model", "the same", "sees", "by chance", "INT8 layers", *vision.OBSERVERS, "budget"]
    lines, missed, lost = [], [], []
    for name, row in _measured("vision", DECISIONS):
        if row["status"] != "ok":
            lines.append([name, _bad(row)])
            continue
        shares = [f"{100 * row[key]:.1f}" for key in ("seen", "shuffled")]
        observed = [f"{100 * row[observer]:.1f}" for observer in vision.OBSERVERS]
        budget = ""
        if "budget" in row:
            missed.append(name)
            budget = f"{100 * row['budget']:.1f} ({row.get('kept', 0)} layers in FP32)"
        if row.get("budget", row["percentile"]) < vision.BAR:
            lost.append(name)
        lines.append([name, DECISIONS[name].words, *shares, row["layers"], *observed, budget])
    text = _VISION.format(
        calibrating=vision.CALIBRATING,
        evaluating=vision.EVALUATING,
        held_out=vision.HELD_OUT,
        bar=100 * vision.BAR,
        drop=100 * vision.MAX_DROP,
    )
    verdict = f"\nBelow {100 * vision.BAR:.0f} % without a budget: {_names(missed)}; with it: {_names(lost)}.\n"
    picture = _CURVE.format(name=CURVE) if curve else ""
    return text + _table(head, lines) + verdict + picture


def _speed() -> str:
    head = [
        "model",
        "batch",
        "INT8 layers",
        *(f"{contender} ms" for contender in speed.CONTENDERS),
        f"{speed.PREDICTOR} ms",
        "against TensorFlow",
        "by predictor()",
        "against FP32",
    ]
    lines, losing, bars = [], [], []
    for key, row in _measured("speed", speed.MODELS):
        name, _, batch = key.partition(" ")
        if row["status"] != "ok":
            lines.append([name, batch, _bad(row)])
            continue
        milliseconds = [f"{row[contender]:.2f}" for contender in speed.CONTENDERS]
        direct = row.get("predictor faster than TensorFlow")
        milliseconds.append(f"{row[speed.PREDICTOR]:.2f}" if direct else "")
        ratios = [row["faster than TensorFlow"], direct, row["faster than FP32"]]
        shown = [f"{ratio:.2f}" if ratio else "" for ratio in ratios]
        lines.append([name, batch, row["layers"], *milliseconds, *shown])
        if row["faster than FP32"] < 1:
            losing.append(f"{name} (batch {batch})")
        if batch == "1" and name in speed.BARS:
            reached = "reached" if max(ratios[0], direct or 0) >= speed.BARS[name] else "MISSED"
            bars.append(f"{name} {speed.BARS[name]:.0f} times: {reached}")
    verdict = f"\nINT8 does not pay against FP32 for: {_names(losing)}.\n\nBars, against TensorFlow: {_names(bars)}.\n"
    return _SPEED + _table(head, lines) + verdict


def _rtx() -> str:
    lines = []
    for name, row in _measured("rtx", rtx.MODELS):
        if row["status"] != "ok":
            lines.append([name, _bad(row)])
            continue
        counts = [row[key] for key in ("layers", "quantize", "dequantize", "engines")]
        errors = ["" if row[key] is None else f"{row[key]:.1e}" for key in ("error", "from FP32")]
        lines.append([name, *counts, "; ".join(row["refused"]).replace("|", "/") or "none", *errors])
    head = ["model", "INT8 layers", "Quantize", "Dequantize", "engines", "refused", "error", "from FP32"]
    return _RTX + _table(head, lines)


def _zoo() -> str:
    rows = kept("zoo")
    lines = []
    for name in MODELS:
        cells = [_cell(rows[key]) if (key := f"{name} {precision}") in rows else "" for precision in zoo.COLUMNS]
        if any(cells):
            lines.append([name, *cells])
    bounds = ", ".join(f"{precision} {bound:.0e}" for precision, bound in zoo.BOUNDS.items())
    broken = [key for key, row in rows.items() if row["status"] != "ok"]
    outside = [
        key
        for key, row in rows.items()
        if row["status"] == "ok" and not row.get("budget", row["error"]) <= zoo.BOUNDS[key.rpartition(" ")[2]]
    ]
    nan = [key for key, row in rows.items() if row.get("nan")]
    verdict = f"\nNot run: {_names(broken)}. Outside of the bound: {_names(outside)}. NaN: {_names(nan)}.\n"
    head = ["model", *(f"{precision}, {engine}" for precision, engine in zoo.COLUMNS.items())]
    return _ZOO.format(bounds=bounds) + _table(head, lines) + verdict


def _cell(row: Row) -> str:
    if row["status"] != "ok":
        return _bad(row)
    cell = f"{row['error']:.1e}" if row["nodes"] else "all in FP32"
    if "budget" in row:
        cell += f" → {row['budget']:.1e} ({row['kept']} of {row['units']} in FP32)"
    if "faster" in row:
        cell += f", {row['faster']:.2f}x"
    return cell + (", NaN" if row["nan"] else "") + (", fell back" if row["fallbacks"] else "")


_DIGITS = """## scikit-learn's digits

A convolutional net of three blocks, trained here: accuracy on images that it has not seen. INT8 may lose {bar}
points. All engines and observers use one table of 512 training images.

"""
_VISION = """## Vision models on real crops

How often, in percent of {evaluating} crops of photographs, INT8 (ONNX Runtime) decides as FP32 does, by observer;
ranges are from {calibrating} other crops. *sees*: on how many FP32 sees anything at all; *by chance*: how often it
decides as on the crop before. What the same means is in `benchmarks/precision/decisions.py`. Where the default
observer, percentile, is below {bar:.0f} %, a budget (a drop of {drop:.0f} % on {held_out} crops of its own) keeps
layers in FP32.

"""
_CURVE = """
The budget's search for {name}; lines of the drop against the share of layers in INT8:

![The drop of the share of crops that agree, by share of layers in INT8](images/accuracy_curve.png)
"""
_SPEED = """## Speed of INT8

Milliseconds a batch: TensorFlow, then two engines inside of it; contenders in turn, medians. The last columns tell how
many times as fast INT8 is as TensorFlow and as FP32, round by round, by the quicker engine for each.

"""
_RTX = """## TensorRT

One table of ranges for two engines: TensorRT-RTX builds the networks (on the CPU, for its default GPUs), and the
reference engine runs them. *Quantize* and *Dequantize* are the layers in its networks, by which INT8 kernels are
asked for. *error*: the reference engine's largest relative L2 error against TensorFlow running the same quantized
graph; *from FP32*: against the graph before.

"""
_ZOO = """## Every precision on every model

The relative L2 error of the worst float output on the model's own sample. Where it is above the bound ({bounds}), a
budget brings it back: the error then, and how many layers (INT8) or nodes stay in FP32. Last, how many times as fast
as FP32 through the same engine; ONNX Runtime has few half-precision kernels on the CPU, so that FP16 is slower there.

"""
