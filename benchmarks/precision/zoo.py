"""Every precision on a model of the zoo: its error against FP32, and what a budget brings it down to."""

from __future__ import annotations

from typing import Any

import numpy as np

COLUMNS = (("FP16", "onnxruntime"), ("BF16", "reference"), ("INT8", "onnxruntime"))
"""ONNX Runtime computes no bfloat16 on the CPU: there, the reference engine shows what TensorRT would."""
BOUNDS = {"FP16": 1e-2, "BF16": 5e-2, "INT8": 1e-1}
"""The relative error of the worst output from which on a budget is asked to bring the model back."""


def measure(name: str, precision: str, engine: str = "onnxruntime") -> dict[str, Any]:
    """Return the relative L2 error of the worst float output on the real feed, before and after a budget."""
    import tfgraft
    from benchmarks.precision.decisions import DECISIONS
    from benchmarks.precision.models import zoo_feed, zoo_model
    from benchmarks.precision.runs import runner
    from tfgraft.distance import distance
    from tfgraft.load import load

    path, inputs, outputs = zoo_model(name)
    loaded, feed = load(path, outputs=outputs), zoo_feed(name)
    data: list[Any] = [feed]
    if name in DECISIONS:
        from benchmarks.precision.crops import crops

        data += list(crops(name, inputs, 8, seed=1))
    wanted = runner(loaded.graph_def, loaded)(feed)

    def error(grafted: Any) -> tuple[float, bool]:
        got = runner(grafted.graph_def, loaded)(feed)
        pairs = [(w, g) for w, g in zip(wanted, got, strict=True) if w.dtype.kind == "f"]
        made = any((~np.isfinite(g)).sum() > (~np.isfinite(w)).sum() for w, g in pairs if w.shape == g.shape)
        return max((distance(w, g) for w, g in pairs), default=0.0), made

    calibration = data if precision == "INT8" else None
    grafted = tfgraft.optimize(loaded, precision=precision, engine=engine, calibration=calibration)
    worst, broken = error(grafted)
    result: dict[str, Any] = {"error": worst, "nan": broken, "nodes": grafted.report.precisions.get(precision, 0)}
    if not worst <= BOUNDS[precision]:
        budget = tfgraft.Budget(tfgraft.Fidelity([feed]), max_drop=BOUNDS[precision], ranking=1)
        grafted = tfgraft.optimize(loaded, precision=precision, engine=engine, calibration=data, accuracy=budget)
        result["budget"], result["nan"] = error(grafted)
        accuracy = grafted.report.accuracy
        result["kept"] = len(accuracy.kept) if accuracy else 0
        result["units"] = len(accuracy.sensitivity) if accuracy else 0
    calls = tfgraft.runtime.counters().engines.values()
    result["fallbacks"] = sum(each.fallbacks for each in calls)
    return result
