"""Trying one converted node: ONNX Runtime must load it and give TensorFlow's numbers on made-up inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.graph.dtypes import FLOATS
from tfgraft.graph.one_node import OneNode
from tfgraft.registry.support import SUPPORTED, Support, Supported, Unsupported

Array = NDArray[Any]

_SIZES = (6, 24, 1)
"""What unknown dimensions are tried as: divisible sizes, one larger than common kernels, and one that broadcasts.
Then come the sizes of the known dimensions: an unknown one may have to equal one of them."""
_ENOUGH = 2
"""Runs that TensorFlow accepted, after which the numbers are believed."""
_COSTLY = 1 << 20
"""With inputs of more elements than this, one such run is enough."""
_LARGEST = 1 << 26
"""Inputs of more elements than this are not made up."""
_TOLERANCE = {"float16": 2e-2, "float32": 1e-4, "float64": 1e-5}
"""Allowed difference, relative to the largest value of the tensor."""
_LOOP = 10.0
"""How much more is allowed after a loop, whose rounding errors feed back at each step."""


@dataclass(frozen=True)
class Trial:
    """One made-up set of inputs: the size of unknown dimensions, and whether values come from a coarse grid.

    The grid (halves from -2 to 2, small integers of both signs) brings the ties, zeros and signs on which roundings,
    divisions and comparisons differ; random values do not meet them.
    """

    size: int
    grid: bool

    def inputs(self, node: OneNode) -> dict[str, Array] | None:
        """Return values by TensorFlow tensor name, or None if they would be too large. Always the same ones."""
        rng = np.random.default_rng(0)
        shapes = [tuple(self.size if d < 0 else d for d in node.inputs[i].shape or ()) for i in node.data]
        if sum(math.prod(shape) for shape in shapes) > _LARGEST:
            return None
        types = [node.inputs[i].dtype for i in node.data]
        arithmetic = len({*types, *node.outputs}) == 1
        return {
            f"in{i}:0": self._values(rng, dtype, shape, arithmetic)
            for i, dtype, shape in zip(node.data, types, shapes, strict=True)
        }

    def _values(self, rng: np.random.Generator, dtype: str, shape: tuple[int, ...], arithmetic: bool) -> Array:
        if dtype == "bool":
            return rng.integers(0, 2, shape).astype(bool)
        if dtype in FLOATS:
            if self.grid:
                return np.asarray(rng.integers(-4, 5, shape) / 2, dtype)
            return np.asarray(rng.standard_normal(shape, np.float32), dtype)
        if self.grid and arithmetic:  # elsewhere integers are sizes and indices, which must stay in range
            values = rng.integers(1, 5, shape)
            signed = values if dtype.startswith("u") else values * rng.choice([-1, 1], shape)
            return np.asarray(signed, dtype)
        return np.asarray(rng.integers(1, 3, shape) if not self.grid else rng.integers(0, 2, shape), dtype)


def probe(node: OneNode, model: Any, outputs: tuple[str, ...]) -> Support:
    """Load a model with ONNX Runtime and compare it with TensorFlow.

    Returns Supported, with a note if the numbers could not be checked, or a refusal (engine-rejected, wrong-result).
    """
    try:
        import onnxruntime as ort
    except ImportError:
        return Supported("numbers not checked: ONNX Runtime is not installed")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what it has to say comes with the exception
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        return _rejected(node, error)
    wanted = [i.name for i in session.get_inputs()]
    checked, reason = 0, "no input could be made up"
    with _TensorFlow(node, outputs) as reference:
        for trial in _trials(node):
            feeds = trial.inputs(node)
            if feeds is None:
                reason = "the inputs are too large"
                continue
            want = reference.run(feeds)
            if isinstance(want, str):
                reason = want
                continue
            try:
                got = session.run(list(outputs), {k: v for k, v in feeds.items() if k in wanted})
            except Exception as error:
                return _rejected(node, error)
            for i, (g, w) in enumerate(zip(got, want, strict=True)):
                if difference := _difference(np.asarray(g), np.asarray(w), _LOOP if node.library else 1.0):
                    message = f"ONNX Runtime's result for {node.op} differs from TensorFlow's: {difference}"
                    return Unsupported("wrong-result", message, f"output {i}")
            checked += 1
            if checked == _ENOUGH or sum(value.size for value in feeds.values()) > _COSTLY:
                break
    return SUPPORTED if checked else Supported(f"numbers not checked: {reason}")


def _trials(node: OneNode) -> Iterator[Trial]:
    sizes = [d for slot in node.inputs for d in slot.shape or ()]
    if min((d for i in node.data for d in node.inputs[i].shape or ()), default=0) >= 0:
        yield from (Trial(1, False), Trial(1, True))
        return
    yield from (Trial(_SIZES[0], True), Trial(_SIZES[1], False), Trial(_SIZES[2], False), Trial(_SIZES[1], True))
    yield from (Trial(d, False) for d in dict.fromkeys(sizes) if 0 < d <= 4096 and d not in _SIZES)


def _rejected(node: OneNode, error: Exception) -> Unsupported:
    reason = str(error).strip().splitlines()[0][:300]
    return Unsupported("engine-rejected", f"ONNX Runtime refuses the conversion of {node.op}: {reason}", node.op)


class _TensorFlow:
    """The node in a session of its own, on the CPU, with no graph optimization."""

    def __init__(self, node: OneNode, outputs: tuple[str, ...]) -> None:
        self._node, self._outputs = node, outputs
        self._session: Any = None

    def __enter__(self) -> _TensorFlow:
        import tensorflow as tf
        from tensorflow.core.protobuf import config_pb2

        config = config_pb2.ConfigProto(device_count={"GPU": 0})
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        config.graph_options.optimizer_options.opt_level = config_pb2.OptimizerOptions.L0
        self._session = tf.compat.v1.Session(graph=self._node.graph(), config=config)
        return self

    def __exit__(self, *exc: object) -> None:
        self._session.close()

    def run(self, feeds: dict[str, Array]) -> list[Array] | str:
        """Return the outputs, or why TensorFlow does not take the inputs."""
        import tensorflow as tf

        try:
            values: list[Array] = self._session.run(list(self._outputs), feeds)
        except (tf.errors.OpError, ValueError, TypeError) as error:
            return f"TensorFlow refuses the made-up inputs ({type(error).__name__})"
        return values


def _difference(got: Array, want: Array, slack: float) -> str:
    if got.dtype != want.dtype:
        return f"its type is {got.dtype}, not {want.dtype}"
    if got.shape != want.shape:
        return f"its shape is {list(got.shape)}, not {list(want.shape)}"
    if want.dtype.name not in _TOLERANCE:
        wrong = int(np.count_nonzero(got != want))
        return f"{wrong} of {want.size} values" if wrong else ""
    finite = np.isfinite(want)
    if not np.array_equal(got[~finite], want[~finite], equal_nan=True) or not np.isfinite(got[finite]).all():
        return "it is not finite where TensorFlow's is, or the other way round"
    g, w = got[finite].astype(np.float64), want[finite].astype(np.float64)
    error = float(np.max(np.abs(g - w), initial=0.0))
    scale = max(float(np.max(np.abs(w), initial=0.0)), 1e-2)
    if error <= slack * _TOLERANCE[want.dtype.name] * scale:
        return ""
    return f"by {error / scale:.2g}, relative to its largest value"
