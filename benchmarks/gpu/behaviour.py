"""How TensorRT engines behave in TensorFlow on a GPU that takes them: profiles, threads, SavedModels, memory."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import tfgraft
import tfgraft.runtime
from benchmarks.gpu.checks import Checks
from tfgraft.distance import relative_error

TOLERANCE = 1e-4
_PROFILES = [{"x": ((1, 64), (4, 64), (8, 64))}, {"x": ((16, 64), (32, 64), (64, 64))}]


def model() -> Any:
    """Return the GraphDef of x [?, 64] through products and activations, with a second output of another rank."""
    rng = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        y = x = tf.compat.v1.placeholder(tf.float32, [None, 64], "x")
        for _ in range(3):
            y = tf.nn.relu(tf.matmul(y, rng.standard_normal((64, 64), np.float32) / np.float32(8)) + x)
        tf.identity(y, name="out")
        tf.identity(tf.reduce_sum(y, 1), name="total")
    return graph.as_graph_def()


def graft(**options: Any) -> Any:
    """Graft TensorRT engines into the model."""
    return tfgraft.optimize(
        model(), outputs=["out", "total"], engine="tensorrt", minimum_segment_size=1, tf32=False, **options
    )


def truth(x: Any) -> list[Any]:
    """Run the original."""
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(model(), name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return list(session.run(["out:0", "total:0"], {"x:0": x}))


def rows(count: int, seed: int = 0) -> Any:
    """Return an input."""
    return np.random.default_rng(seed).standard_normal((count, 64), np.float32)


def agrees(call: Any, x: Any) -> bool:
    """Tell whether a grafted function gives the original's results."""
    got = [t.numpy() for t in call(tf.constant(x))]
    return all(relative_error(w, g) <= TOLERANCE for w, g in zip(truth(x), got, strict=True))


def check_profiles(checks: Checks) -> None:
    """Several profiles: what is in one of them runs in the engine, what is in none runs natively."""
    call = graft(profiles=_PROFILES).function()
    tfgraft.runtime.reset_counters()
    checks.check("sizes in both profiles agree", all(agrees(call, rows(n)) for n in (1, 8, 16, 64, 3, 33)))
    checks.check("and run in the engine", tfgraft.runtime.counters().fallbacks == 0, tfgraft.runtime.counters())
    checks.check("sizes in neither agree", all(agrees(call, rows(n)) for n in (12, 100)))
    causes = [c for e in tfgraft.runtime.counters().engines.values() for c in e.causes]
    checks.check("and run natively", bool(causes) and all("none of the engine's profiles" in c for c in causes), causes)


def check_threads(checks: Checks) -> None:
    """Eight threads with sizes of their own, each call on an execution context of its own."""
    call = graft(profiles=_PROFILES).function()
    wrong: list[str] = []
    tfgraft.runtime.reset_counters()

    def work(k: int) -> None:
        for i in range(20):
            try:
                if not agrees(call, rows(1 + k, i)):
                    wrong.append(f"thread {k}: another result")
            except tf.errors.OpError as failure:
                wrong.append(failure.message)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counters = tfgraft.runtime.counters()
    checks.check("eight threads agree", not wrong, "; ".join(dict.fromkeys(wrong)))
    checks.check("with one load and no fallback", (counters.loads, counters.fallbacks) == (1, 0), counters)


def check_saved_model(checks: Checks) -> None:
    """A SavedModel, written and loaded again, runs its engines."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        graft().save(path)
        loaded = tfgraft.load_saved_model(path)
        tfgraft.runtime.reset_counters()
        x = rows(5)
        got = loaded.signatures["serving_default"](tf.constant(x)).values()
        want = {w.shape: w for w in truth(x)}
        checks.check("a SavedModel agrees", all(relative_error(want[tuple(g.shape)], g.numpy()) < 1e-4 for g in got))
        checks.check("and runs in the engine", tfgraft.runtime.counters().fallbacks == 0, tfgraft.runtime.counters())


def check_strict(checks: Checks) -> None:
    """Strict engines run, and fail outside their profiles."""
    call = graft(profiles=_PROFILES, strict=True).function()
    checks.check("strict runs in a profile", agrees(call, rows(4)))
    try:
        agrees(call, rows(12))
    except tf.errors.InternalError as failure:
        checks.check("strict raises outside", "none of the engine's profiles" in failure.message)
    else:
        checks.check("strict raises outside", False)


def check_memory(checks: Checks) -> None:
    """A thousand calls do not make TensorFlow's memory on the device grow."""
    call = graft(profiles=_PROFILES).function()
    x = tf.constant(rows(64))
    for _ in range(10):
        call(x)
    before = tf.config.experimental.get_memory_info("GPU:0")["current"]
    for _ in range(1000):
        call(x)
    after = tf.config.experimental.get_memory_info("GPU:0")["current"]
    checks.check("memory stays as it is", after <= before, f"{before} bytes before, {after} after")


PARTS = (check_profiles, check_threads, check_saved_model, check_strict, check_memory)
