"""What a call of `Grafted.predictor()` adds to the engine's own call, in interleaved calls in one process.

    python benchmarks/predictor.py [--rounds 300] [--calls 20]

The model is an MLP of two layers on one row of `width` floats. The engine's own calls are those of ONNX Runtime on the
very session that the predictor uses: `run_with_iobinding` with everything bound beforehand, which allocates nothing and
is the least that there is; `run_with_ort_values` with inputs made beforehand; and `run` of arrays, its usual call. A
round is the median of some calls of each, in turn; what is told is the median over the rounds, and "adds" is the median
of the differences to `run_with_iobinding` in the same round.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import tfgraft
from tfgraft.predictor import Predictor

Call = Callable[[], Any]
BASE = "run_with_iobinding"


def mlp(width: int) -> Any:
    """Return the GraphDef of an MLP."""
    random = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, width], "x")
        h = tf.nn.relu(tf.matmul(x, tf.constant(random.standard_normal((width, width), np.float32))) + 0.5)
        tf.nn.softmax(tf.matmul(h, tf.constant(random.standard_normal((width, 10), np.float32))), name="out")
    return graph.as_graph_def()


def executor_of(predictor: Predictor) -> Any:
    """Return the loaded engine that a predictor calls."""
    engine: Any = predictor._engine
    return engine.call.__self__


def engine_calls(session: Any, x: Any) -> dict[str, Call]:
    """Return ONNX Runtime's own ways of running a session of one input and one output."""
    import onnxruntime as ort

    (given,), (made,) = session.get_inputs(), session.get_outputs()
    binding = session.io_binding()
    out = np.empty((len(x), 10), np.float32)
    binding.bind_input(given.name, "cpu", 0, x.dtype, x.shape, x.ctypes.data)
    binding.bind_output(made.name, "cpu", 0, out.dtype, out.shape, out.ctypes.data)
    value = {given.name: ort.OrtValue.ortvalue_from_numpy(x)}
    names, feeds = [made.name], {given.name: x}

    def bound() -> Any:
        session.run_with_iobinding(binding)
        return out

    return {
        BASE: bound,
        "run_with_ort_values": functools.partial(session.run_with_ort_values, names, value),
        "run": functools.partial(session.run, names, feeds),
    }


def measure(calls: Mapping[str, Call], rounds: int, count: int) -> dict[str, list[float]]:
    """Return microseconds a call, for each round; who follows whom changes from round to round."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    random, order = np.random.default_rng(0), list(calls)
    clock = time.perf_counter
    for i in range(rounds + 2):
        samples: dict[str, list[float]] = {name: [] for name in calls}
        random.shuffle(order)
        for _ in range(count):
            for name in order:
                call = calls[name]
                start = clock()
                call()
                samples[name].append((clock() - start) * 1e6)
        if i > 1:
            for name, values in samples.items():
                times[name].append(statistics.median(values))
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--calls", type=int, default=20)
    args = parser.parse_args()
    print(f"{'width':>6} {'call':<24} {'us a call':>10} {'adds us':>8}")
    for width in (16, 64, 256):
        pipeline = tfgraft.default_pipeline(cut_light=False)
        grafted = tfgraft.optimize(mlp(width), outputs=["out"], pipeline=pipeline)
        predictor = grafted.predictor()
        assert predictor.is_direct
        x = np.random.default_rng(1).random((1, width), np.float32)
        calls: dict[str, Call] = {
            **engine_calls(executor_of(predictor)._general._keep[0], x),
            "predictor(x)": functools.partial(predictor, x),
            "predictor(x=x)": functools.partial(predictor, x=x),
        }
        times = measure(calls, args.rounds, args.calls)
        base = times[BASE]
        for name, values in times.items():
            adds = statistics.median(t - b for t, b in zip(values, base, strict=True))
            print(f"{width:>6} {name:<24} {statistics.median(values):>10.2f} {adds:>8.2f}")


if __name__ == "__main__":
    main()
