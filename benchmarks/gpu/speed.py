"""A net on a GPU by TensorFlow, XLA, ONNX Runtime, PyTorch and tfgraft: in turn, medians, errors.

    python -m benchmarks.gpu.speed NET [--batches 1,8,16,64] [--rounds N] [--nhwc] [--only NAME,...] [--json FILE]

NET is ResNet50, MobileNetV2 or encoder. Inputs lie on the GPU and results stay there; a call is timed until the GPU has
finished. TF32 is on everywhere. PyTorch, if it is installed, runs after the others in a process of its own. A contender
that fails is reported and left out. Ends with code 2 if there is no GPU.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from benchmarks.gpu.checks import growing_gpus
from benchmarks.gpu.contenders import Contender, Net, contenders
from benchmarks.precision.models import values
from tfgraft.distance import relative_error
from tfgraft.function import make_function
from tfgraft.load import load

_WARM_UPS = 4
_CALLS = 4
"""Calls of a contender in a round."""
_SHAPES = {"encoder": (128, 512)}
_PICTURE = (224, 224, 3)


def measure(net: Net, batches: list[int], rounds: int, nhwc: bool, only: list[str]) -> list[dict[str, Any]]:
    """Return one row for each contender and batch: name, batch, ms, error (relative L2, against float32 on the CPU)."""
    ready: list[Contender] = []
    for name, make in contenders(net, nhwc):
        if only and name not in only:
            continue
        start = time.perf_counter()
        made = _tried(name, make)
        if made is not None:
            ready.append(made)
            print(f"{name}: made in {time.perf_counter() - start:.1f} s", flush=True)
    exact = _exact(net)
    rows = []
    for batch in batches:
        x = values((batch, *_SHAPES.get(net.name, _PICTURE)))
        want = exact(x[:8])
        calls, errors = {}, {}
        for each in ready:
            prepared = _tried(f"{each.name}, batch {batch}", partial(_warmed, each, x))
            if prepared is not None:
                calls[each.name], result = prepared
                errors[each.name] = relative_error(want, result()[:8])
        insides = {each.name: each.inside for each in ready if each.inside and each.name in calls}
        for name, ms in _in_turn(calls, insides, rounds).items():
            rows.append({"name": name, "batch": batch, "ms": ms, "error": errors.get(name)})
            print(f"{net.name} x {batch}: {name}: {ms:.3f} ms, error {errors.get(name, 0):.1e}", flush=True)
    return rows


def _tried(what: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except Exception as error:
        print(f"{what} failed: {type(error).__name__}: {str(error).strip()[:300]}", flush=True)
        return None


def _warmed(contender: Contender, x: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    call, result = contender.call(x)
    for _ in range(_WARM_UPS):
        call()
    return call, result


def _in_turn(
    calls: Mapping[str, Callable[[], Any]], insides: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, float]:
    """Return median milliseconds; the calls that are timed in a round come after one of its own that is not.

    Each round has an order of its own, so that nobody always follows the same one.
    """
    shuffle, order = random.Random(rounds).shuffle, list(calls)
    times: dict[str, list[float]] = {name: [] for name in calls}
    times.update((f"{name} in the node", []) for name in insides)
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            call = calls[name]
            call()
            for _ in range(_CALLS):
                start = time.perf_counter()
                call()
                times[name].append(1000 * (time.perf_counter() - start))
                if name in insides:
                    times[f"{name} in the node"].append(1000 * insides[name]())
    return {name: statistics.median(each) for name, each in times.items()}


def _exact(net: Net) -> Callable[[Any], Any]:
    loaded = load(net.model())
    with tf.device("/CPU:0"):
        function = make_function(loaded.graph_def, loaded.inputs, loaded.outputs)

    def run(x: Any) -> Any:
        with tf.device("/CPU:0"):
            return np.asarray(function(tf.constant(x))[0].numpy())

    return run


def _pytorch(net: str, batches: list[int], rounds: int) -> list[dict[str, Any]]:
    if importlib.util.find_spec("torch") is None:
        return []
    command = [sys.executable, "-m", "benchmarks.gpu.torch_nets", net, ",".join(map(str, batches)), str(rounds)]
    environment = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        print(f"PyTorch failed: {done.stderr.strip()[-300:]}", flush=True)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for row in rows:
        print(f"{net} x {row['batch']}: {row['name']}: {row['ms']:.3f} ms", flush=True)
    return rows


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net")
    parser.add_argument("--batches", default="1,8,16,64")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--nhwc", action="store_true", help="ONNX Runtime prefers NHWC")
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    devices = growing_gpus()
    if not devices:
        return 2
    batches = [int(batch) for batch in options.batches.split(",")]
    only = [name for name in options.only.split(",") if name]
    rows = measure(Net(options.net), batches, options.rounds, options.nhwc, only)
    if not only:
        rows += _pytorch(options.net, batches, options.rounds)
    if options.json:
        about = {"net": options.net, "nhwc": options.nhwc, "gpu": tf.config.experimental.get_device_details(devices[0])}
        options.json.write_text(json.dumps({**about, "rows": rows}, indent=1, default=str) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
