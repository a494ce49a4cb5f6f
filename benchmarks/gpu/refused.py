"""On a GPU that TensorRT-RTX refuses (Hopper, say): a grafted graph runs natively, says why once, and counts it.

    python -m benchmarks.gpu.refused

It also runs an engine of its own on the GPU, which needs no TensorRT, and an engine of the CPU beside the GPU. Needs
TensorFlow with a GPU and `tensorrt_rtx`; ends with code 1 if something does not hold, with 2 if there is no GPU.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import tfgraft
import tfgraft.runtime
from benchmarks.gpu.checks import Checks, Warnings
from benchmarks.gpu.copying import surrounded_copy
from tfgraft.distance import relative_error
from tfgraft.registry.support import Supported

RUNS = 5


def model() -> Any:
    """Return the GraphDef of a small convolutional net with an op in the middle that no engine takes."""
    rng = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 32, 32, 3], "x")
        for i, (channels, filters) in enumerate(((3, 16), (16, 32))):
            kernel = rng.standard_normal((3, 3, channels, filters), np.float32) / np.float32(3 * channels**0.5)
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + rng.standard_normal(filters, np.float32))
            if i == 0:
                x = tf.strings.to_number(tf.strings.as_string(x, precision=9))
        tf.identity(tf.reduce_mean(x, [1, 2]), name="out")
    return graph.as_graph_def()


def session_runs(graph_def: Any, x: Any, runs: int = 1) -> list[Any]:
    """Run a graph in a Session."""
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return [session.run("out:0", {"x:0": x}) for _ in range(runs)]


def check_refusal(checks: Checks) -> None:
    """The engines of a grafted graph are refused by the GPU."""
    graph_def, warnings = model(), Warnings()
    grafted = tfgraft.optimize(
        graph_def, engine="tensorrt", flavour="tensorrt_rtx", compute_capabilities=("8.6", "8.9"),
        minimum_segment_size=1,
    )  # fmt: skip
    engines = [n.name for n in grafted.graph_def.node if n.op == tfgraft.runtime.OP_NAME]
    checks.check("engines are built", len(engines) == 2, engines)
    x = np.random.default_rng(1).standard_normal((4, 32, 32, 3), np.float32)
    (want,) = session_runs(graph_def, x)
    tfgraft.runtime.reset_counters()
    error = max(relative_error(want, got) for got in session_runs(grafted.graph_def, x, RUNS))
    checks.check("a Session gives TensorFlow's numbers", error < 1e-5, f"relative error {error:.1e}")
    function = grafted.function()
    with tf.device("/GPU:0"):
        fed = tf.constant(x)
    error = max(relative_error(want, function(fed)[0].numpy()) for _ in range(RUNS))
    checks.check("a function gives TensorFlow's numbers", error < 1e-5, f"relative error {error:.1e}")
    counters = tfgraft.runtime.counters()
    for name in engines:
        counted = counters.engines[name]
        causes = list(counted.causes)
        checks.check(
            f"{name} is counted", (counted.calls, counted.fallbacks, counted.loads) == (2 * RUNS, 2 * RUNS, 0), counted
        )
        checks.check("the cause is the GPU", len(causes) == 1 and "refuses an engine" in causes[0], causes)
    checks.check("each engine says so once", len(warnings.messages) == len(engines), len(warnings.messages))
    for message in warnings.messages:
        print(f"      {message}")
    strict = tfgraft.optimize(graph_def, engine="tensorrt", flavour="tensorrt_rtx", minimum_segment_size=1, strict=True)
    try:
        session_runs(strict.graph_def, x)
    except tf.errors.FailedPreconditionError as failure:
        said = [line for line in failure.message.splitlines() if "engine node" in line]
        checks.check("strict raises", "refuses an engine" in failure.message, "; ".join(said))
    else:
        checks.check("strict raises", False)


def check_device(checks: Checks) -> None:
    """An engine on the GPU works with TensorFlow's buffers, from several threads."""
    function = surrounded_copy(4)
    tfgraft.runtime.reset_counters()
    wrong: list[str] = []

    def work(k: int) -> None:
        for size in (64, 2048, 512, 2048):
            x = np.random.default_rng(k).standard_normal((size, 256), np.float32)
            try:
                if not np.array_equal(function(tf.constant(x)).numpy(), (((x + 1) + 1) + 1) + 1):
                    wrong.append(f"thread {k}: another result at {size} rows")
            except tf.errors.OpError as failure:
                wrong.append(failure.message)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counters = tfgraft.runtime.counters()
    checks.check("an engine on the GPU copies right in four threads", not wrong, "; ".join(dict.fromkeys(wrong)))
    checks.check("and never falls back", counters.fallbacks == 0 and counters.calls == 64, counters)
    if not wrong:
        checks.check("an empty tensor goes through", function(tf.zeros((0, 256))).shape == (0, 256))


def check_cpu_engine(checks: Checks) -> None:
    """An engine of the CPU stays on the CPU where TensorFlow has a GPU."""
    if not isinstance(tfgraft.Registry.default().engines["onnxruntime"].available(), Supported):
        print("      ONNX Runtime is not installed: left out")
        return
    graph_def = model()
    grafted = tfgraft.optimize(
        graph_def, engine="onnxruntime", minimum_segment_size=1, providers=["CPUExecutionProvider"]
    )
    x = np.random.default_rng(2).standard_normal((4, 32, 32, 3), np.float32)
    tfgraft.runtime.reset_counters()
    error = relative_error(session_runs(graph_def, x)[0], session_runs(grafted.graph_def, x)[0])
    counters = tfgraft.runtime.counters()
    checks.check("an engine of the CPU runs beside the GPU", error < 1e-4, f"relative error {error:.1e}")
    checks.check("and never falls back", counters.fallbacks == 0 and counters.calls > 0, counters)


def main() -> int:
    """Run all checks; return the exit code."""
    if not tf.config.list_physical_devices("GPU"):
        print("TensorFlow sees no GPU here.")
        return 2
    tf.config.experimental.enable_tensor_float_32_execution(False)
    checks = Checks()
    for part in (check_device, check_cpu_engine, check_refusal):
        print(f"{part.__doc__}")
        part(checks)
    print(f"{checks.failed} checks failed" if checks.failed else "all checks hold")
    return min(checks.failed, 1)


if __name__ == "__main__":
    sys.exit(main())
