"""What calibration costs: Keras ResNet-50 on 200 images, against running these images in TensorFlow.

    python -m benchmarks.calibration [--images N] [--rounds N] [--batch N]

The bars: at most 1.5 times the time, less than 2 GiB of memory more. Calibration is all of `tfgraft.calibrate`, with
loading the model, the passes before it and making the graph that observes. Both take turns in one process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

import numpy as np

from benchmarks.zoo.stages.memory import PeakMemory

SHAPE = (224, 224, 3)


def main() -> None:
    """Run and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    import tfgraft
    from tfgraft.calibration.observers import OBSERVERS
    from tfgraft.function import make_function
    from tfgraft.load import load

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    loaded = load(keras.applications.ResNet50(weights=None))
    function = make_function(loaded.graph_def, loaded.inputs, loaded.outputs)
    random = np.random.default_rng(0)
    feeds = [random.random((options.batch, *SHAPE), np.float32) for _ in range(options.images // options.batch)]

    def run() -> None:
        for feed in feeds:
            function._call_flat([tf.constant(feed)], function.captured_inputs)

    def calibrate() -> Any:
        return tfgraft.calibrate(loaded, feeds)

    run()
    seconds: dict[str, list[float]] = {"run": [], "calibrate": []}
    added = 0
    for _ in range(options.rounds):
        with PeakMemory():  # which takes a little time, as it does below
            seconds["run"].append(_timed(run)[0])
        with PeakMemory() as memory:
            took, table = _timed(calibrate)
        seconds["calibrate"].append(took)
        added = max(added, memory.added or 0)
    ratios = [c / r for c, r in zip(seconds["calibrate"], seconds["run"], strict=True)]
    for name, values in seconds.items():
        print(f"{name:10s} {statistics.median(values):7.2f} s  ({', '.join(f'{v:.2f}' for v in values)})")
    print(
        f"ratio      {statistics.median(ratios):7.2f}    added memory {added / 2**30:.2f} GiB, "
        f"{len(table.names)} tensors"
    )
    for name in OBSERVERS:
        took, _ = _timed(lambda name=name: [table.range(tensor, name) for tensor in table.names])
        print(f"{name:10s} {1000 * took / len(table.names):7.2f} ms a tensor")


def _timed(call: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
