"""INT8 on the zoo's vision models, on real crops: how often it decides as FP32 does, by observer and after a budget."""

from __future__ import annotations

from typing import Any

import numpy as np

OBSERVERS = ("max", "percentile", "mse", "entropy")
CALIBRATION, EVALUATION = 64, 200
BAR = 0.98


def measure(name: str, evaluation: int = EVALUATION) -> dict[str, Any]:
    """Return shares of `evaluation` crops, 0 to 1, and what a budget keeps in float32 where the default misses `BAR`.

    The crops of calibration, of the budget and of the evaluation are others each.
    """
    import tfgraft
    from benchmarks.precision.crops import crops
    from benchmarks.precision.decisions import DECISIONS, Share
    from benchmarks.precision.models import zoo_model
    from benchmarks.precision.runs import runner
    from tfgraft.load import load

    path, inputs, outputs = zoo_model(name)
    agree, _ = DECISIONS[name]
    loaded = load(path, outputs=outputs)
    data = list(crops(name, inputs, CALIBRATION, seed=1))
    feeds = list(crops(name, inputs, evaluation, seed=2))
    original = runner(loaded.graph_def, loaded)
    wanted = [original(feed) for feed in feeds]

    def share(grafted: Any) -> float:
        run = runner(grafted.graph_def, loaded)
        return float(np.mean([agree(want, run(feed)) for want, feed in zip(wanted, feeds, strict=True)]))

    table = tfgraft.calibrate(loaded, data)
    result: dict[str, Any] = {"crops": evaluation}
    for observer in OBSERVERS:
        grafted = tfgraft.optimize(loaded, precision="INT8", calibration=table, observer=observer)
        result[observer] = share(grafted)
        result["layers"] = grafted.report.precisions.get("INT8", 0)
    if result["percentile"] < BAR:
        held_out = list(crops(name, inputs, evaluation // 2, seed=3))
        budget = tfgraft.Budget(Share(held_out, agree), max_drop=(1 - BAR) / 2)
        grafted = tfgraft.optimize(loaded, precision="INT8", calibration=data, accuracy=budget)
        accuracy = grafted.report.accuracy
        result["budget"] = share(grafted)
        result["kept"] = len(accuracy.kept) if accuracy else 0
        result["curve"] = [[p.share, p.drop] for p in accuracy.curve] if accuracy else []
        if accuracy:
            from benchmarks.precision.worker import WORK

            accuracy.plot(WORK / f"{name}.png")
    return result
