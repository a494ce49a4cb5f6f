"""The chart: how many times as fast as TensorFlow each contender is, model by model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.bench.contenders import CONTENDERS, PEERS
from benchmarks.bench.summary import Measured, failure, ratio

_LOOKS: Mapping[str, Mapping[str, Any]] = {
    "xla": {"marker": "x", "color": "tab:gray"},
    "tf2onnx": {"marker": "s", "color": "tab:blue"},
    "openvino": {"marker": "^", "color": "tab:green"},
    "litert": {"marker": "v", "color": "tab:orange"},
    "onnxruntime": {"marker": "D", "color": "lightcoral"},
    "auto": {"marker": "o", "color": "tab:red"},
}
_LEAST = 0.25
"""What is slower than this is shown at the edge."""


def draw(batches: Mapping[int, Mapping[str, Measured]], path: Path) -> None:
    """Draw a panel for each batch, its models sorted by the speed of `engine="auto"`, as a PNG."""
    if not batches:
        return
    from matplotlib.figure import Figure

    most = max(len(rows) for rows in batches.values())
    figure = Figure(figsize=(6.2 * len(batches), 1.6 + 0.27 * most), layout="constrained")
    panels = figure.subplots(1, len(batches), squeeze=False)[0]
    for panel, (batch, rows) in zip(panels, batches.items(), strict=True):
        _panel(panel, batch, rows)
    handles, titles = panels[0].get_legend_handles_labels()
    figure.legend(handles, titles, loc="outside lower center", ncols=3 * len(batches), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _panel(panel: Any, batch: int, rows: Mapping[str, Measured]) -> None:
    models = sorted(rows, key=lambda model: ratio(rows[model], "auto") or 0.0)
    for name, looks in _LOOKS.items():
        works = [(i, ratio(rows[model], name)) for i, model in enumerate(models) if not failure(rows[model], name)]
        points = [(max(value, _LEAST), i) for i, value in works if value is not None]
        if not points:
            continue
        size = 46 if name == "auto" else 24
        x, y = zip(*points, strict=True)
        panel.scatter(x, y, s=size, label=CONTENDERS[name].title, zorder=2 if name in PEERS else 3, **looks)
    panel.axvline(1, color="black", linewidth=0.8)
    panel.set_xscale("log", base=2)
    panel.set_xlim(left=_LEAST * 0.9)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.set_yticks(range(len(models)), models, fontsize=8)
    panel.set_ylim(-0.7, len(models) - 0.3)
    panel.grid(axis="both", color="0.92", zorder=0)
    panel.set_axisbelow(True)
    panel.set_title(f"batch {batch}: times as fast as TensorFlow", fontsize=10)
