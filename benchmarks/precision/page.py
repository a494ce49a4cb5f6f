"""docs/precision_results.md, made of what was measured."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.precision.decisions import DECISIONS
from benchmarks.precision.worker import kept

_HEAD = """# What lower precision costs and brings

Made by `make precision`. {machine}, two threads; TensorFlow {tensorflow}, ONNX Runtime {onnxruntime},
TensorRT-RTX {rtx}.
How it works is in [int8.md](int8.md) and [precision.md](precision.md).
"""


def page() -> str:
    """Return the page."""
    names = {"tensorflow": "tensorflow-cpu", "onnxruntime": "onnxruntime", "rtx": "tensorrt-rtx-cu12"}
    machine = f"{os.cpu_count()} processors ({platform.machine()})"
    head = _HEAD.format(machine=machine, **{key: version(name) for key, name in names.items()})
    parts = [head, _digits(kept("digits")), _vision(kept("vision")), _speed(kept("speed")), _rtx(kept("rtx"))]
    return "\n".join([*parts, _zoo(kept("zoo"))])


def write(path: Path) -> None:
    """Write the page."""
    path.write_text(page(), encoding="utf-8")


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def _bad(row: dict[str, Any]) -> str:
    return f"{row['status']}: {row.get('why', '')}".replace("|", "/")


def _digits(rows: dict[str, Any]) -> str:
    row = rows.get("digits", {})
    if row.get("status") != "ok":
        return _DIGITS
    shown = {k: v for k, v in row.items() if isinstance(v, float)}
    lines = [[name, f"{100 * value:.2f} %", f"{100 * (value - row['FP32']):+.2f}"] for name, value in shown.items()]
    return _DIGITS + _table(["", f"accuracy ({row['images']} images)", "points"], lines)


def _vision(rows: dict[str, Any]) -> str:
    head = ["model", "the same decision", "layers", "max", "percentile", "mse", "entropy", "budget"]
    lines = []
    for name, row in rows.items():
        if row["status"] != "ok":
            lines.append([name, _bad(row), *[""] * 6])
            continue
        shares = [f"{100 * row[o]:.1f}" for o in head[3:7]]
        kept_back = f"{row.get('kept')} of {row['layers']} layers in float32"
        budget = f"{100 * row['budget']:.1f} ({kept_back})" if "budget" in row else ""
        lines.append([name, DECISIONS[name][1], row["layers"], *shares, budget])
    return _VISION + _table(head, lines)


def _speed(rows: dict[str, Any]) -> str:
    lines = []
    for key, row in rows.items():
        if row["status"] != "ok":
            lines.append([key, _bad(row), *[""] * 6])
            continue
        ms = [row[k] for k in ("tensorflow", "FP32", "INT8")]
        ratios = [ms[0] / ms[2], ms[1] / ms[2]]
        lines.append([key.rpartition(" ")[0], row["batch"], row["layers"], *(f"{v:.2f}" for v in (*ms, *ratios))])
    head = ["model", "batch", "INT8 layers", "TensorFlow", "FP32", "INT8", "against TensorFlow", "against FP32"]
    return _SPEED + _table(head, lines)


def _rtx(rows: dict[str, Any]) -> str:
    lines = []
    for name, row in rows.items():
        if row["status"] != "ok":
            lines.append([name, _bad(row), *[""] * 4])
            continue
        refused = "; ".join(row["refused"]) or "none"
        errors = [f"{row[key]:.1e}" for key in ("error", "from FP32")]
        lines.append([name, row["layers"], row["engines"], refused, *errors])
    return _RTX + _table(["model", "INT8 layers", "engines", "refused", "error", "error against FP32"], lines)


def _zoo(rows: dict[str, Any]) -> str:
    columns = list(next(iter(rows.values()), {}))
    lines = [[name, *(_cell(row[column]) for column in columns)] for name, row in rows.items()]
    return _ZOO + _table(["model", *columns], lines)


def _cell(row: dict[str, Any]) -> str:
    if row["status"] != "ok":
        return _bad(row)
    cell = f"{row['error']:.1e}" if row["nodes"] else "all in float32"
    if "budget" in row:
        cell += f", then {row['budget']:.1e} ({row['kept']} of {row['units']} in float32)"
    return cell + (", NaN" if row["nan"] else "") + (", fell back" if row["fallbacks"] else "")


_DIGITS = """## scikit-learn's digits

A convolutional net of three blocks, trained here; accuracy on its test images.

"""
_VISION = """## Vision models on real crops

The share of crops, in percent, on which INT8 (ONNX Runtime) decides as FP32 does, by observer. Where the default,
percentile, is below 98 %, a budget on other crops keeps layers in float32.

"""
_SPEED = """## Speed of INT8

Milliseconds a batch through ONNX Runtime inside TensorFlow, contenders in turn, medians. INT8 does not pay where the
last column is below 1.

"""
_RTX = """## TensorRT

The same tables, for TensorRT-RTX (built on the CPU for its default GPUs) and the reference engine, whose error is
against TensorFlow running the same quantized graph.

"""
_ZOO = """## Every precision on every model

The relative L2 error of the worst float output on the model's own sample. Where it is above the bound (FP16 1e-2, BF16
5e-2, INT8 1e-1), a budget brings it back: the error then, and how many layers or nodes stay in float32.

"""
