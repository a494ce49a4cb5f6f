"""Predictors called with tensors in a GPU's memory: numbers, streams, threads, memory, mistakes.

    python -m benchmarks.gpu.direct

Tensors are TensorFlow's, and PyTorch's where it is installed. Needs TensorFlow with a GPU and ONNX Runtime's CUDA
provider; ends with code 1 if something does not hold, with 2 if there is no GPU.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import tfgraft
import tfgraft.runtime
from benchmarks.gpu.checks import Checks, Warnings, growing_gpus
from tfgraft.distance import relative_error
from tfgraft.dlpack import gpu_of
from tfgraft.errors import FeedError
from tfgraft.function import make_function
from tfgraft.load import load
from tfgraft.predictor import Predictor
from tfgraft.runtime.cuda import Cuda
from tfgraft.runtime.device_tensor import DeviceTensor

_WIDTH = 256
_TOLERANCE = 1e-5


def model(whole: bool) -> Any:
    """Return the GraphDef of x [?, 256] through products; if it is not `whole`, an op is in it that no engine takes."""
    rng = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        x = y = tf.compat.v1.placeholder(tf.float32, [None, _WIDTH], "x")
        for _ in range(4):
            y = tf.nn.relu(tf.matmul(y, rng.standard_normal((_WIDTH, _WIDTH), np.float32) / np.float32(16)) + x)
        if not whole:
            y = tf.strings.to_number(tf.strings.as_string(y, precision=9))
        tf.nn.relu(y * 2, name="out")
        tf.reduce_sum(y, 1, name="total")
    return graph.as_graph_def()


def predictor(whole: bool = True) -> Predictor:
    """Graft an engine with the CUDA provider, in full precision."""
    providers = [("CUDAExecutionProvider", {"use_tf32": "0"})]
    return tfgraft.optimize(
        model(whole), outputs=["out", "total"], engine="onnxruntime", providers=providers, minimum_segment_size=1
    ).predictor()


def rows(count: int, seed: int = 0) -> Any:
    """Return an input."""
    return np.random.default_rng(seed).standard_normal((count, _WIDTH), np.float32)


def of_tensorflow(x: Any) -> Any:
    """Return a tensor of TensorFlow's on the GPU."""
    with tf.device("/GPU:0"):
        return tf.identity(tf.constant(x))


def to_tensorflow(y: Any) -> Any:
    """Return a result as a tensor of TensorFlow's, without a copy."""
    return tf.experimental.dlpack.from_dlpack(y.__dlpack__())


def check_numbers(checks: Checks, make: Callable[[Any], Any], take: Callable[[Any], Any], whose: str) -> None:
    """Results are TensorFlow's numbers, whatever shapes come, and others take them."""
    predict, truth = predictor(), load(model(True), outputs=["out", "total"])
    original = Predictor(truth.graph_def, truth, lambda: make_function(truth.graph_def, truth.inputs, truth.outputs))
    worst, kinds = 0.0, set()
    for i, count in enumerate((3, 3, 3, 8, 8, 8, 0, 1, 64, 64, 64, 3)):
        x = rows(count, i)
        got = predict(make(x))
        kinds |= {type(each) for each in got}
        for want, each in zip(original(x), got, strict=True):
            taken = take(each)
            worst = max(worst, relative_error(want, taken.cpu().numpy()), relative_error(want, each.numpy()))
    checks.check(f"{whose}: results are right", worst < _TOLERANCE, f"relative error {worst:.1e}")
    checks.check(f"{whose}: TensorFlow has no part in them", kinds == {DeviceTensor}, kinds)
    named = predict(x=make(rows(3)))
    checks.check(f"{whose}: by name", list(named) == ["out", "total"], named)
    again = predict(predict(make(rows(3)))[0])[0]
    want = original(original(rows(3))[0])[0]
    checks.check(f"{whose}: results are inputs", relative_error(want, again.numpy()) < _TOLERANCE)
    checks.check(f"{whose}: no fallback", tfgraft.runtime.counters().fallbacks == 0)


def check_streams(checks: Checks) -> None:
    """What makes the inputs, and what uses the results, is still queued when a call comes."""
    predict, big = predictor(), of_tensorflow(np.eye(4096, dtype=np.float32))
    worst = 0.0
    for i in range(40):
        late = of_tensorflow(rows(16, i))
        for _ in range(4):  # milliseconds of work before the input is there, and after the result is
            late = late + 0 * tf.reduce_sum(tf.matmul(big, big))
        (y, _) = predict(late)
        slow = to_tensorflow(y)
        for _ in range(4):
            slow = slow + 0 * tf.reduce_sum(tf.matmul(big, big))
        del y  # its memory is the next call's
        (other, _) = predict(of_tensorflow(rows(16, 1000 + i)))
        want, _ = predict(rows(16, i))
        worst = max(worst, relative_error(want, slow.numpy()))
        del other
    checks.check("work that is queued is waited for", worst < _TOLERANCE, f"relative error {worst:.1e}")


def check_threads(checks: Checks) -> None:
    """Threads call at the same time."""
    predict = predictor()
    wanted = [predict(rows(5 + k))[0] for k in range(4)]

    def work(k: int) -> float:
        x = of_tensorflow(rows(5 + k))
        return float(max(relative_error(wanted[k], predict(x)[0].numpy()) for _ in range(200)))

    with ThreadPoolExecutor(4) as pool:
        worst = max(pool.map(work, range(4)))
    checks.check("four threads", worst < _TOLERANCE, f"relative error {worst:.1e}")


def check_memory(checks: Checks) -> None:
    """Memory is used again, and given back with the predictor."""
    predict = predictor()
    x = of_tensorflow(rows(4096))
    for _ in range(5):
        predict(x)
    before = _used()
    for i in range(2000):
        predict(x if i % 3 else of_tensorflow(rows(1 + i % 97)))
    grown = _used() - before
    checks.check("2000 calls take no more memory", grown < 64 << 20, f"{grown / 2**20:.0f} MiB")


def _used() -> int:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    with Cuda().current(0):
        ctypes.CDLL("libcuda.so.1").cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
    return total.value - free.value


def check_mistakes(checks: Checks) -> None:
    """Wrong inputs are errors that name the input, and calls go on."""
    predict = predictor()
    x = of_tensorflow(rows(3))
    for what, value in (
        ("a wrong type", tf.cast(x, tf.float16)),
        ("a wrong shape", x[:, :3] + 0),
        ("a wrong rank", tf.reshape(x, [-1])),
    ):
        told = _told(predict, value)
        checks.check(f"{what} is told", told.startswith("Input x "), told)
    checks.check("calls go on", relative_error(predict(rows(3))[0], predict(x)[0].numpy()) < _TOLERANCE)


def _told(predict: Predictor, value: Any) -> str:
    """Return the error of a call, nothing if there is none."""
    try:
        predict(value)
    except FeedError as error:
        return str(error)
    return ""


def check_parts(checks: Checks) -> None:
    """A model of which a part stays in TensorFlow takes tensors of the GPU too."""
    predict, x = predictor(whole=False), rows(3)
    got = predict(of_tensorflow(x))
    want = predict(x)
    checks.check("part of it in TensorFlow: it is", not predict.is_direct)
    error = max(relative_error(a, b.numpy()) for a, b in zip(want, got, strict=True))
    checks.check("part of it in TensorFlow: results are right", error < _TOLERANCE, f"relative error {error:.1e}")
    checks.check("part of it in TensorFlow: results stay", gpu_of(got[0]) == 0, type(got[0]).__name__)


def main() -> int:
    """Run all checks; return the exit code."""
    if not growing_gpus():
        return 2
    tf.config.experimental.enable_tensor_float_32_execution(False)
    checks, warnings = Checks(), Warnings()
    check_numbers(checks, of_tensorflow, to_tensorflow, "TensorFlow")
    torch = _torch()
    if torch is None:
        print("PyTorch is not here, or sees no GPU.", flush=True)
    else:
        check_numbers(checks, lambda x: torch.from_numpy(x).cuda(), torch.from_dlpack, "PyTorch")
        leaf = torch.ones((3, _WIDTH), device="cuda", requires_grad=True)
        for what, value in (("a leaf", leaf), ("strides", torch.ones((_WIDTH, 3), device="cuda").t())):
            told = _told(predictor(), value)
            checks.check(f"PyTorch: {what} is told", "cannot be taken" in told, told)
    for check in (check_streams, check_threads, check_memory, check_mistakes, check_parts):
        check(checks)
    checks.check("there are no warnings", not warnings.messages, warnings.messages[:3])
    return int(bool(checks.failed))


def _torch() -> Any:
    try:
        import torch
    except Exception:  # its libraries may not get along with TensorFlow's
        return None
    return torch if torch.cuda.is_available() else None


if __name__ == "__main__":
    sys.exit(main())
