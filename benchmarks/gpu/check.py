"""Everything about TensorRT engines that needs a GPU that TensorRT takes: behaviour, results and speed.

    python -m benchmarks.gpu.check [--models ResNet50 ...] [--zoo FOLDER] [--routes native onnx] [--batches 1 8 32]
                                   [--flavour tensorrt_rtx] [--markdown docs/gpu_results.md]

Keras models have random weights; the zoo is the folder that `python -m benchmarks.zoo fetch` makes. TF32 is off on both
sides while results are compared and on while time is measured. Ends with code 1 if something does not hold, with 2 if
there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import tfgraft
import tfgraft.runtime
from benchmarks.gpu import behaviour
from benchmarks.gpu.checks import Checks
from benchmarks.zoo.built import load_arrays
from tfgraft.distance import relative_error
from tfgraft.function import make_function
from tfgraft.load import load

KERAS = ("ResNet50", "MobileNetV2", "EfficientNetB0", "ConvNeXtTiny")
TOLERANCE = 1e-4
_WARM_UPS, _CALLS = 10, 50


@dataclass(frozen=True)
class Case:
    """A model and a feed, as arrays in the order of the model's inputs."""

    name: str
    model: Any
    outputs: Sequence[str] | None
    feeds: Sequence[Any]


@dataclass(frozen=True)
class Line:
    """One model by one route: coverage, error, milliseconds a call of TensorFlow and of the grafted graph."""

    name: str
    route: str
    engines: int
    coverage: float
    error: float
    fallbacks: int
    tensorflow_ms: float
    grafted_ms: float

    def __str__(self) -> str:
        ratio = self.tensorflow_ms / self.grafted_ms
        return (
            f"| {self.name} | {self.route} | {self.engines} | {self.coverage:.0%} | {self.error:.1e} | "
            f"{self.fallbacks} | {self.tensorflow_ms:.2f} | {self.grafted_ms:.2f} | {ratio:.2f} |"
        )


HEAD = (
    "| model | route | engines | coverage | relative L2 | fallbacks | TensorFlow ms | grafted ms | ratio |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def keras_cases(names: Sequence[str], batches: Sequence[int]) -> Iterator[Case]:
    """Make Keras models with random weights, each with several batch sizes."""
    import keras

    for name in names:
        keras.utils.set_random_seed(0)
        model = getattr(keras.applications, name)(weights=None)
        for batch in batches:
            shape = (batch, *model.input_shape[1:])
            yield Case(f"{name} x {batch}", model, None, [np.random.default_rng(1).random(shape, np.float32)])


def zoo_cases(folder: Path) -> Iterator[Case]:
    """Read the zoo's frozen graphs with the real inputs that belong to them."""
    for path in sorted(folder.glob("*.pb")):
        about = json.loads(path.with_suffix(".json").read_text())
        feed = load_arrays(folder / "samples" / f"{path.stem}.npz")
        outputs = [o["name"] for o in about["outputs"]]
        yield Case(path.stem, str(path), outputs, [feed[i["name"]] for i in about["inputs"]])


def measure(case: Case, route: str, flavour: str | None) -> Line:
    """Compare one model with TensorFlow by one route, then time both."""
    tf.config.experimental.enable_tensor_float_32_execution(False)
    exact, original, fed = _prepare(case, route, flavour, tf32=False)
    want = [np.asarray(t) for t in original(*fed)]
    tfgraft.runtime.reset_counters()
    got = [np.asarray(t) for t in exact.function()(*fed)]
    fallbacks = tfgraft.runtime.counters().fallbacks
    errors = [_error(w, g) for w, g in zip(want, got, strict=True)]
    tf.config.experimental.enable_tensor_float_32_execution(True)
    fast, original, fed = _prepare(case, route, flavour, tf32=True)
    times = _times([lambda: original(*fed), lambda: fast.function()(*fed)])
    report = exact.report
    return Line(case.name, route, len(report.clusters), report.coverage, max(errors), fallbacks, *times)


def _error(want: Any, got: Any) -> float:
    return relative_error(want, got) if want.dtype.kind == "f" else float(np.any(want != got))


def _prepare(case: Case, route: str, flavour: str | None, tf32: bool) -> tuple[Any, Any, Any]:
    shapes = [tuple(np.shape(f)) for f in case.feeds]
    options: dict[str, Any] = {"engine": "tensorrt", "route": route, "tf32": tf32, "flavour": flavour}
    names = [t.name for t in load(case.model, outputs=case.outputs).inputs]
    observed = [dict(zip(names, shapes, strict=True))]
    grafted = tfgraft.optimize(case.model, outputs=case.outputs, observed=observed, **options)
    loaded = grafted.loaded
    original = make_function(loaded.graph_def, loaded.inputs, loaded.outputs, loaded.resources)
    with tf.device("/GPU:0"):
        fed = [tf.constant(f) for f in case.feeds]
    return grafted, original, fed


def _times(calls: Sequence[Any]) -> list[float]:
    """Return the median milliseconds of each call, in turn; a call ends when its results are on the host."""
    taken: list[list[float]] = [[] for _ in calls]
    for i in range(_WARM_UPS + _CALLS):
        for times, call in zip(taken, calls, strict=True):
            start = time.perf_counter()
            [t.numpy() for t in call()]
            if i >= _WARM_UPS:
                times.append((time.perf_counter() - start) * 1e3)
    return [statistics.median(times) for times in taken]


def main() -> int:
    """Run all checks; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=KERAS)
    parser.add_argument("--zoo", type=Path)
    parser.add_argument("--routes", nargs="*", default=["native", "onnx"])
    parser.add_argument("--batches", nargs="*", type=int, default=[1, 8, 32])
    parser.add_argument("--flavour")
    parser.add_argument("--markdown", type=Path)
    args = parser.parse_args()
    if not tf.config.list_physical_devices("GPU"):
        print("TensorFlow sees no GPU here.")
        return 2
    checks = Checks()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    for part in behaviour.PARTS:
        print(part.__doc__)
        part(checks)
    cases = [*keras_cases(args.models, args.batches), *(zoo_cases(args.zoo) if args.zoo else ())]
    lines = []
    for case in cases:
        for route in args.routes:
            try:
                line = measure(case, route, args.flavour)
            except Exception as error:  # the others are still of interest
                checks.check(f"{case.name} by the {route} route", False, f"{type(error).__name__}: {error}")
                continue
            lines.append(line)
            holds = line.error <= TOLERANCE and line.fallbacks == 0
            checks.check(f"{case.name} by the {route} route", holds, line)
    table = "\n".join([HEAD, *map(str, lines)])
    print(table)
    if args.markdown:
        args.markdown.write_text(table + "\n")
    print(f"{checks.failed} checks failed" if checks.failed else "all checks hold")
    return min(checks.failed, 1)


if __name__ == "__main__":
    sys.exit(main())
