"""Conversion of ResNet-50: seconds and added peak memory of tfgraft against whole-graph tf2onnx.

    python -m benchmarks.conversion [--rounds N]

All start from the same frozen graph (Keras ResNet-50, `weights=None`). `tfgraft` is `optimize`, which loads each engine
once to see that it loads; `tfgraft-run` goes on to a Session that runs the result once; `tf2onnx` is its conversion and
the creation of an ONNX Runtime session. Each has a process of its own that has imported everything before the clock
starts; the processes take turns, A B C A B C.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

INPUT, SHAPE = "x:0", (1, 224, 224, 3)


def make_model(path: Path) -> None:
    """Write the frozen graph."""
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    model = keras.applications.ResNet50(weights=None)
    function = tf.function(lambda x: model(x, training=False))
    frozen = convert_variables_to_constants_v2(
        function.get_concrete_function(tf.TensorSpec((None, *SHAPE[1:]), tf.float32, name="x"))
    )
    path.write_bytes(frozen.graph.as_graph_def().SerializeToString())
    path.with_suffix(".json").write_text(json.dumps([t.name for t in frozen.outputs]))


def with_tfgraft(path: Path, outputs: list[str], run: bool = False) -> Callable[[], Any]:
    """Return the conversion by tfgraft, with a first run (which loads the engine) if asked for."""
    import tensorflow as tf

    import tfgraft
    import tfgraft.api
    import tfgraft.runtime

    def convert() -> Any:
        grafted = tfgraft.optimize(str(path), outputs=outputs)
        if not run:
            return grafted
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            tf.graph_util.import_graph_def(grafted.graph_def, name="")
            return session.run(outputs, {INPUT: np.zeros(SHAPE, np.float32)})

    return convert


def with_tf2onnx(path: Path, outputs: list[str]) -> Callable[[], Any]:
    """Return the conversion by tf2onnx and the creation of the session."""
    import onnxruntime
    import tensorflow as tf
    import tf2onnx.convert

    def convert() -> Any:
        graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
        model, _ = tf2onnx.convert.from_graph_def(graph_def, input_names=[INPUT], output_names=outputs)
        return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    return convert


def measure(convert: Callable[[], Any]) -> dict[str, float]:
    """Return seconds and the megabytes that the peak of the resident memory rose by."""
    done = threading.Event()
    start_bytes = peak = _resident()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    convert()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return {"seconds": seconds, "added_mb": (max(peak, _resident()) - start_bytes) / 2**20}


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Run the comparison and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--child", nargs=2, metavar=("WHO", "PB"), help=argparse.SUPPRESS)
    given = options.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if given.child:
        who, path = given.child[0], Path(given.child[1])
        outputs = json.loads(path.with_suffix(".json").read_text())
        if who == "tf2onnx":
            print(json.dumps(measure(with_tf2onnx(path, outputs))))
        else:
            print(json.dumps(measure(with_tfgraft(path, outputs, run=who == "tfgraft-run"))))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet50.pb"
        make_model(path)
        rows: dict[str, list[dict[str, float]]] = {"tfgraft": [], "tfgraft-run": [], "tf2onnx": []}
        for _ in range(given.rounds):
            for who, results in rows.items():
                command = [sys.executable, "-m", "benchmarks.conversion", "--child", who, str(path)]
                out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                results.append(json.loads(out.splitlines()[-1]))
    medians = {who: {k: statistics.median(r[k] for r in results) for k in results[0]} for who, results in rows.items()}
    for who, row in medians.items():
        share = ", ".join(f"{row[key] / medians['tf2onnx'][key]:.2f} of tf2onnx's {key}" for key in row)
        print(f"{who:12s} {row['seconds']:6.2f} s  {row['added_mb']:7.0f} MB added ({share})")


if __name__ == "__main__":
    main()
