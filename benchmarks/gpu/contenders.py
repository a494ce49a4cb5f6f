"""Who computes a net on a GPU: TensorFlow, ONNX Runtime alone, and tfgraft's engines inside TensorFlow.

Each is given a batch in the GPU's memory, leaves its result there, and has finished when its call returns: engine nodes
and ONNX Runtime wait by themselves, for TensorFlow's own kernels the call waits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

import tfgraft
from benchmarks.gpu.wait import timed_kernel, waiter
from benchmarks.precision.models import keras_model
from tfgraft.direct import Step, find_direct
from tfgraft.function import make_function
from tfgraft.load import load

Call = Callable[[], Any]
CUDA = "CUDAExecutionProvider"


@dataclass(frozen=True)
class Net:
    """A Keras net of random weights, its batch open."""

    name: str

    def model(self, policy: str = "float32") -> Any:
        """Return the Keras model, computing as a policy of Keras says."""
        import keras

        keras.config.set_dtype_policy(policy)
        try:
            made, _ = keras_model(self.name, 1)
        finally:
            keras.config.set_dtype_policy("float32")
        if policy != "float32":
            made.set_weights(self.model().get_weights())
        return made


@dataclass(frozen=True)
class Contender:
    """Something that computes a net: `call(x)` returns a function of no arguments, and one that reads its result.

    `inside` returns the seconds that the last call spent in the engine node, if it has one.
    """

    name: str
    call: Callable[[Any], tuple[Call, Call]]
    inside: Callable[[], float] | None = None


def contenders(net: Net, nhwc: bool) -> Iterator[tuple[str, Callable[[], Contender]]]:
    """Yield names with functions that make the contenders.

    Args:
        net: what they compute.
        nhwc: whether ONNX Runtime lays images out as NHWC, its `prefer_nhwc`.
    """
    layout = {"prefer_nhwc": "1"} if nhwc else {}
    for policy, kind in (("float32", "TensorFlow"), ("mixed_float16", "TensorFlow mixed")):
        yield kind, partial(_tensorflow, kind, net, policy, compiled=False)
        yield f"{kind} XLA", partial(_tensorflow, f"{kind} XLA", net, policy, compiled=True)
    yield "ONNX Runtime", partial(_alone, "ONNX Runtime", net, layout, halved=False)
    yield "ONNX Runtime FP16", partial(_alone, "ONNX Runtime FP16", net, layout, halved=True)
    for precision in ("FP32", "FP16"):
        name = f"tfgraft {precision}"
        yield name, partial(_grafted, name, net, precision, layout)
        yield f"{name} predictor", partial(_predictor, f"{name} predictor", net, precision, layout)
        yield f"{name} engine alone", partial(_engine_alone, f"{name} engine alone", net, precision, layout)
    yield "tfgraft xla", partial(_xla, net)


def _tensorflow(name: str, net: Net, policy: str, compiled: bool) -> Contender:
    loaded = load(net.model(policy))
    function: Any = make_function(loaded.graph_def, loaded.inputs, loaded.outputs)
    return Contender(name, partial(_called, tf.function(function, jit_compile=True) if compiled else function))


def _grafted(name: str, net: Net, precision: str, settings: dict[str, str]) -> Contender:
    grafted, step = _optimized(net, precision, settings)
    kernel, inside = timed_kernel()
    graph_def = type(grafted.graph_def).FromString(grafted.graph_def.SerializeToString())
    (node,) = [node for node in graph_def.node if node.name == step.node.name]
    node.attr["_kernel"].s = kernel.encode()
    loaded = grafted.loaded
    function = make_function(graph_def, loaded.inputs, loaded.outputs)
    return Contender(name, partial(_called, function, waits=False), inside)


def _predictor(name: str, net: Net, precision: str, settings: dict[str, str]) -> Contender:
    grafted, _ = _optimized(net, precision, settings)
    return Contender(name, partial(_called, grafted.predictor(), waits=False))


def _optimized(net: Net, precision: str, settings: dict[str, str]) -> tuple[tfgraft.Grafted, Step]:
    """Return a net with one engine of ONNX Runtime for all of it, and where that is."""
    loaded = load(net.model())
    grafted = tfgraft.optimize(
        loaded, precision=precision, providers=[(CUDA, settings)], strict=True, engine="onnxruntime"
    )
    direct = find_direct(grafted.graph_def, loaded)
    assert direct is not None, "part of it stays in TensorFlow"
    (step,) = direct.steps
    return grafted, step


def _xla(net: Net) -> Contender:
    function = tfgraft.optimize(load(net.model()), engine="xla").function()
    return Contender("tfgraft xla", partial(_called, function))


def _called(function: Any, x: Any, waits: bool = True) -> tuple[Call, Call]:
    with tf.device("/GPU:0"):
        fed = tf.identity(tf.constant(x))
    last: list[Any] = []
    wait = waiter() if waits else lambda: None

    def call() -> None:
        last[:] = [function(fed)]
        wait()

    def result() -> Any:
        value = last[0]
        return np.asarray((value[0] if isinstance(value, (list, tuple)) else value).numpy(), np.float32)

    return call, result


def _alone(name: str, net: Net, settings: dict[str, str], halved: bool) -> Contender:
    """Return ONNX Runtime on the whole net as tf2onnx exports it."""
    import tf2onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    loaded = load(net.model())
    model, _ = tf2onnx.convert.from_graph_def(
        loaded.graph_def,
        input_names=[each.name for each in loaded.inputs],
        output_names=[each.name for each in loaded.outputs],
        opset=17,
    )
    if halved:
        model = convert_float_to_float16(model, keep_io_types=True)
    return _session(name, model.SerializeToString(), {}, settings)


def _engine_alone(name: str, net: Net, precision: str, settings: dict[str, str]) -> Contender:
    """Return the engine of the grafted graph without TensorFlow around it."""
    import onnxruntime as ort

    from tfgraft.plugins.onnxruntime.session import lay_out_weights
    from tfgraft.runtime.node import read_metadata

    _, step = _optimized(net, precision, settings)
    attr, weights = step.node.attr, step.weights()
    built = read_metadata(attr["metadata"].s).built("onnxruntime", attr["payload"].s)
    return _session(name, built.payload, lay_out_weights(ort, built.metadata["weights"], weights), settings)


def _session(name: str, payload: bytes, weights: dict[str, Any], settings: dict[str, str]) -> Contender:
    """Return a session of ONNX Runtime with CUDA graphs: the most that it does by itself."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    if weights:
        options.add_external_initializers(list(weights), list(weights.values()))
    providers = [(CUDA, {"enable_cuda_graph": "1", **settings})]
    session = ort.InferenceSession(payload, options, providers=providers)
    return Contender(name, partial(_bound, session, itertools.count(1), weights))


def _bound(session: Any, graphs: Iterator[int], weights: Any, x: Any) -> tuple[Call, Call]:
    """Return a session's call on buffers of its own, and what reads its result; `weights` live as long as that."""
    import onnxruntime as ort

    options = ort.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(next(graphs)))
    (fed,), (out,) = session.get_inputs(), session.get_outputs()
    made = ort.OrtValue.ortvalue_from_shape_and_type(
        _shape_of(out.shape, x), np.float16 if "float16" in out.type else np.float32, "cuda", 0
    )
    binding = session.io_binding()
    binding.bind_ortvalue_input(fed.name, ort.OrtValue.ortvalue_from_numpy(x, "cuda", 0))
    binding.bind_ortvalue_output(out.name, made)
    return partial(session.run_with_iobinding, binding, options), partial(_read, made, weights)


def _read(value: Any, _: Any) -> Any:
    return np.asarray(value.numpy(), np.float32)


def _shape_of(shape: list[Any], x: Any) -> list[int]:
    """Return an output's shape: its first dimension is the batch, others that are open are the input's."""
    return [d if isinstance(d, int) else x.shape[i] for i, d in enumerate(shape)]
