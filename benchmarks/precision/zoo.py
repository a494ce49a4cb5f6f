"""A precision on a model of the zoo: its error against FP32, its speed, and what a budget brings the error down to."""

from __future__ import annotations

from typing import Any

import numpy as np

COLUMNS = {"FP16": "onnxruntime", "BF16": "reference", "INT8": "onnxruntime"}
"""Precisions and their engines. ONNX Runtime has no bfloat16 on the CPU; the reference engine is TensorRT's."""
BOUNDS = {"FP16": 1e-2, "BF16": 5e-2, "INT8": 1e-1}
"""The relative L2 error of the worst output from which on a budget is asked to bring the model back."""
_CROPS = 8
_THREADS = 2
_SECONDS = 4.0


def measure(name: str, precision: str, engine: str) -> dict[str, Any]:
    """Return the error of the worst float output on the real feed, before and after a budget, and the speed."""
    import tfgraft
    from benchmarks.precision import crops
    from benchmarks.precision.decisions import DECISIONS
    from benchmarks.precision.models import zoo_feed, zoo_model
    from benchmarks.precision.runs import in_turn, ratio, runner
    from tfgraft.distance import distance
    from tfgraft.load import load
    from tfgraft.values import output_values

    path, inputs, outputs = zoo_model(name)
    # Named, since an input that has a default (a switch for training, say) is none of its own accord.
    shapes = {each.name: each.shape for each in inputs}
    loaded, feed = load(path, outputs=outputs, input_shapes=shapes), zoo_feed(name)
    data: list[Any] = [feed]
    if name in DECISIONS:
        data += crops.crops(name, inputs, _CROPS, crops.CALIBRATION)
    # Without its optimizer, as budgets do: what that makes of a graph for oneDNN may be further from it than any
    # precision. On a processor with AMX two boxes of centernet_coco change places, which is an error of 0.18.
    (wanted,) = output_values(loaded.graph_def, loaded.outputs, loaded, [feed])

    def error(grafted: Any) -> tuple[float, bool]:
        got = runner(grafted.graph_def, loaded)(feed)
        pairs = [(w, g) for w, g in zip(wanted, got, strict=True) if w.dtype.kind == "f"]
        made = any((~np.isfinite(g)).sum() > (~np.isfinite(w)).sum() for w, g in pairs if w.shape == g.shape)
        return max((distance(w, g) for w, g in pairs), default=0.0), made

    common: dict[str, Any] = {"engine": engine}
    if engine == "onnxruntime":
        common["intra_op_threads"] = _THREADS
    grafted = tfgraft.optimize(loaded, precision=precision, calibration=data, **common)
    worst, broken = error(grafted)
    result: dict[str, Any] = {"error": worst, "nan": broken, "nodes": grafted.report.precisions.get(precision, 0)}
    if not worst <= BOUNDS[precision]:
        budget = tfgraft.Budget(tfgraft.Fidelity([feed]), max_drop=BOUNDS[precision], ranking=1)
        grafted = tfgraft.optimize(loaded, precision=precision, calibration=data, accuracy=budget, **common)
        result["budget"], result["nan"] = error(grafted)
        if (accuracy := grafted.report.accuracy) is not None:
            result["kept"], result["units"] = len(accuracy.kept), len(accuracy.sensitivity)
    if engine == "onnxruntime":
        plain = tfgraft.optimize(loaded, **common)
        runs = {key: runner(g.graph_def, loaded, _THREADS) for key, g in (("FP32", plain), (precision, grafted))}
        result["faster"] = ratio(in_turn(runs, feed, _SECONDS), "FP32", precision)
    calls = tfgraft.runtime.counters().engines.values()
    result["fallbacks"] = sum(each.fallbacks for each in calls)
    return result
