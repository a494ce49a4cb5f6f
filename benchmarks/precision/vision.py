"""INT8 on the zoo's vision models, on real crops: how often it decides as FP32 does, by observer and after a budget."""

from __future__ import annotations

from typing import Any

import numpy as np

OBSERVERS = ("max", "percentile", "mse", "entropy")
CALIBRATING, EVALUATING, HELD_OUT = 64, 200, 100
"""How many crops calibrate, evaluate, and are a budget's."""
BAR = 0.98
MAX_DROP = 0.01
"""What a budget allows, on its own crops: somewhat less than the bar, which is for crops that it has not seen."""


def measure(name: str) -> dict[str, Any]:
    """Return shares of crops, 0 to 1, by observer, and what a budget comes to where the default one misses `BAR`.

    `seen` is the share on which the float32 model sees anything; `shuffled` is that on which it decides as it does on
    the crop before: how easy it would be to agree by chance.
    """
    import tfgraft
    from benchmarks.precision import crops
    from benchmarks.precision.decisions import DECISIONS, Share
    from benchmarks.precision.models import zoo_model
    from benchmarks.precision.runs import runner
    from benchmarks.precision.worker import WORK
    from tfgraft.load import load

    path, inputs, outputs = zoo_model(name)
    decision = DECISIONS[name]
    loaded = load(path, outputs=outputs)
    data = list(crops.crops(name, inputs, CALIBRATING, crops.CALIBRATION))
    feeds = list(crops.crops(name, inputs, EVALUATING, crops.EVALUATION))
    original = runner(loaded.graph_def, loaded)
    wanted = [original(feed) for feed in feeds]

    def share(grafted: Any) -> float:
        run = runner(grafted.graph_def, loaded)
        return float(np.mean([decision.agree(want, run(feed)) for want, feed in zip(wanted, feeds, strict=True)]))

    table = tfgraft.calibrate(loaded, data)
    result: dict[str, Any] = {
        "crops": EVALUATING,
        "seen": float(np.mean([decision.sees(want) for want in wanted])),
        "shuffled": float(np.mean([decision.agree(a, b) for a, b in zip(wanted[1:], wanted, strict=False)])),
    }
    for observer in OBSERVERS:
        grafted = tfgraft.optimize(loaded, precision="INT8", calibration=table, observer=observer, strict=True)
        result[observer] = share(grafted)
        result["layers"] = grafted.report.precisions.get("INT8", 0)
    if result["percentile"] < BAR:
        held_out = list(crops.crops(name, inputs, HELD_OUT, crops.BUDGET))
        budget = tfgraft.Budget(Share(held_out, decision.agree), MAX_DROP)
        grafted = tfgraft.optimize(loaded, precision="INT8", calibration=data, accuracy=budget, strict=True)
        result["budget"] = share(grafted)
        if (accuracy := grafted.report.accuracy) is not None:
            result["kept"], result["tried"] = len(accuracy.kept), len(accuracy.curve)
            accuracy.plot(WORK / f"{name}.png")
    return result
