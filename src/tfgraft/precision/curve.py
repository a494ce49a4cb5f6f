"""The curve of an accuracy budget as a picture."""

from __future__ import annotations

import os
from typing import Any

from tfgraft.precision.budget import AccuracyReport


def plot(report: AccuracyReport, path: str | os.PathLike[str]) -> None:
    """Draw the drop of the metric against the share of layers in the lower precision.

    Args:
        report: an accuracy report.
        path: where to write; its ending (.png, .svg, .pdf) is the format.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("drawing the curve needs matplotlib; pip install 'tfgraft[plot]'") from error
    figure: Any = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    points = sorted(report.curve, key=lambda p: p.share)
    axes.plot([100 * p.share for p in points], [p.drop for p in points], "o-", label="tried, computed by TensorFlow")
    total = max(len(report.sensitivity), 1)
    axes.plot([100 * (1 - len(report.kept) / total)], [report.drop], "s", label="the result, with its engines")
    axes.axhline(report.max_drop, linestyle="--", color="tab:red", label=f"allowed: {report.max_drop:.3g}")
    axes.set_xlabel(f"layers in {report.precision} [%]")
    axes.set_ylabel("drop of the metric")
    axes.legend()
    figure.savefig(path)
