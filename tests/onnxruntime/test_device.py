"""The engine in a device's memory, on a device whose memory is the host's: the same code as on a GPU but for CUDA."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import onnxruntime as ort
import pytest
import tensorflow as tf

import tfgraft
import tfgraft.runtime
from tests.passes.graft import build, v1
from tests.runtime.device import LABEL, HostMemory, OnGpu, register_device
from tests.runtime.graphs import session_of
from tfgraft.load import load
from tfgraft.plugins.onnxruntime import captured, device
from tfgraft.plugins.onnxruntime.builder import OnnxRuntimeBuilder
from tfgraft.plugins.onnxruntime.captured import Lane
from tfgraft.plugins.onnxruntime.options import OnnxRuntimeOptions
from tfgraft.plugins.onnxruntime.session import lay_out_weights, make_session
from tfgraft.plugins.protocol import Array, BuiltEngine, Device, DeviceExecutor, Executor, device_kinds
from tfgraft.predictor import Predictor
from tfgraft.runtime.hot import hot_module

_WEIGHTS = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
_STREAM = 7


_SIGNATURES: tuple[Any, ...] = (
    ctypes.CFUNCTYPE(ctypes.c_int),
    ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_size_t, ctypes.c_void_p),
    ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p),
    ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p),
)


@dataclass
class Memory:
    """The host's memory in the place of a device's; it notes what is done.

    Args:
        code: what the driver's copies return, 0 if all is well.
    """

    done: list[str] = field(default_factory=list)
    code: int = 0
    functions: list[Any] = field(default_factory=list)
    graphs: dict[int, Callable[[], object]] = field(default_factory=dict)

    def synchronize(self) -> None:
        """Nothing is under way."""
        self.done.append("synchronize")

    def copy(self, target: int, source: int, nbytes: int, stream: int) -> None:
        """Copy at once."""
        assert stream == _STREAM
        self.done.append("copy")
        ctypes.memmove(target, source, nbytes)

    def wait(self, stream: int) -> None:
        """Nothing is under way."""
        self.done.append("wait")

    def capture(self, stream: int, queue: Callable[[], object]) -> int:
        """Keep what is to be done, and do nothing now."""
        assert stream == _STREAM
        self.graphs[len(self.graphs) + 1] = queue
        return len(self.graphs)

    def launch(self, graph: int, stream: int) -> None:
        """Do what was captured."""
        assert stream == _STREAM
        self.done.append("launch")
        self.graphs[graph]()

    def delete_graph(self, graph: int) -> None:
        """Forget what was captured."""
        self.graphs[graph] = lambda: pytest.fail("the graph was given back")

    def entry_points(self) -> tuple[int, int, int, int]:
        """Return the same for callers in C, who are seen by their capitals."""

        def synchronize() -> int:
            self.done.append("SYNCHRONIZE")
            return 0

        def copy(target: int, source: int, nbytes: int, stream: int) -> int:
            self.copy(target, source, nbytes, stream)
            self.done[-1] = "COPY"
            return self.code

        def launch(graph: int, stream: int) -> int:
            self.launch(graph, stream)
            self.done[-1] = "LAUNCH"
            return 0

        def wait(stream: int) -> int:
            assert stream == _STREAM
            self.done.append("WAIT")
            return 0

        self.functions += [kind(f) for kind, f in zip(_SIGNATURES, (synchronize, copy, launch, wait), strict=True)]
        addresses = [ctypes.cast(function, ctypes.c_void_p).value or 0 for function in self.functions[-4:]]
        return addresses[0], addresses[1], addresses[2], addresses[3]


@dataclass(frozen=True)
class OnHost(OnnxRuntimeBuilder):
    """Loads engines as for a device."""

    name: ClassVar[str] = "onnxruntime_on_host"
    memory: Memory = field(default_factory=Memory)
    graphs: int = 2

    def devices_of(self, engine: BuiltEngine) -> tuple[str, ...]:
        """Any."""
        return ("CPU", "GPU")

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device_: Device) -> Executor | DeviceExecutor:
        """Make a session of the CPU."""
        options = OnnxRuntimeOptions.of(engine.metadata["options"])
        values = lay_out_weights(ort, engine.metadata["weights"], weights)
        session = make_session(ort, engine.payload, values, options)
        lane = Lane(self.memory, _STREAM, "cpu", 0)
        return device.OnnxRuntimeDeviceExecutor(ort, session, values, engine.inputs, engine.outputs, lane, self.graphs)


def _product() -> None:
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    tf.identity(tf.nn.relu(tf.matmul(x, _WEIGHTS)) + 1, name="out")


def _half() -> None:
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    y = tf.cast(tf.nn.relu(tf.cast(x, tf.bfloat16) * 2), tf.float32)
    tf.identity(tf.where(y > 1, y, -y), name="out")


def _chosen() -> None:
    """Emit rows that are chosen by value: as many as there happen to be."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    tf.identity(tf.boolean_mask(x, tf.reduce_sum(x, 1) > 0) * 2, name="out")


def _grafted(emit: Callable[[], None], builder: OnHost) -> Any:
    register_device()
    tfgraft.runtime.register_engine(builder)
    pipeline = tfgraft.default_pipeline(minimum_segment_size=1, cut_light=False)
    grafted = tfgraft.optimize(load(build(emit), outputs=["out"]), pipeline=pipeline, strict=True)
    graph_def = grafted.graph_def
    (node,) = [node for node in graph_def.node if node.op == "TfGraft>Engine"]
    node.attr["engine"].s = builder.name.encode()
    node.attr["_kernel"].s = LABEL.encode()
    return graph_def


def _x(rows: int) -> Any:
    return np.random.default_rng(rows).standard_normal((rows, 4)).astype(np.float32)


@pytest.mark.parametrize("emit", [_product, _half, _chosen])
def test_numbers_are_tensorflows(emit: Callable[[], None]) -> None:
    builder = OnHost()
    grafted = _grafted(emit, builder)
    with session_of(build(emit)) as original, session_of(grafted) as session:
        for rows in (3, 3, 3, 5, 5, 5, 0, 0, 3, 8, 8, 8, 1):
            want = original.run("out:0", {"x:0": _x(rows)})
            np.testing.assert_allclose(session.run("out:0", {"x:0": _x(rows)}), want, rtol=1e-5, atol=1e-6)
    assert set(builder.memory.done[:2]) == {"synchronize", "wait"}


def test_shapes_that_come_again_are_captured_and_only_those_are_copied() -> None:
    builder = OnHost()
    done = builder.memory.done
    with session_of(_grafted(_product, builder)) as session:

        def actions(rows: int) -> list[str]:
            done.clear()
            y = session.run("out:0", {"x:0": _x(rows)})
            np.testing.assert_allclose(y, np.maximum(_x(rows) @ _WEIGHTS, 0) + 1, rtol=1e-5, atol=1e-6)
            return list(done)

        in_place, launched = ["synchronize", "wait"], ["synchronize", "copy", "launch", "copy", "wait"]
        captured = ["synchronize", "copy", "wait", *launched[1:]]
        in_c = launched if hot_module() is None else [action.upper() for action in launched]
        assert actions(3) == in_place
        assert actions(3) == captured
        assert actions(3) == launched
        assert actions(3) == actions(3) == in_c, "no frame of Python is in such a call"
        assert actions(5) == actions(4) == in_place, "shapes that change are not worth a graph"
        assert actions(3) == launched
        assert actions(4) == in_place
        assert actions(4) == captured
        assert actions(4) == launched
        assert actions(4) == in_c
        assert actions(6) == actions(6) == actions(6) == in_place, "there are two graphs at most"


def test_predictors_call_it_without_tensorflow() -> None:
    tfgraft.runtime.reset_counters()
    builder = OnHost()
    graph_def = _grafted(_product, builder)
    predict = Predictor(graph_def, load(build(_product), outputs=["out"]), lambda: None, HostMemory())
    for rows in (3, 3, 3, 5, 0, 5, 5, 3):
        (y,) = predict(OnGpu(_x(rows)))
        np.testing.assert_allclose(y.numpy(), np.maximum(_x(rows) @ _WEIGHTS, 0) + 1, rtol=1e-5, atol=1e-6)
    assert builder.memory.done.count("launch") == 4, "shapes that come again are captured"
    assert tfgraft.runtime.counters().fallbacks == 0


@pytest.mark.skipif(hot_module() is None, reason="there is no compiler here: nothing is staged")
def test_an_error_of_the_driver_is_one_of_the_call() -> None:
    builder = OnHost()
    with session_of(_grafted(_product, builder)) as session:
        for _ in range(3):
            session.run("out:0", {"x:0": _x(3)})
        builder.memory.code = 700
        with pytest.raises(tf.errors.InternalError, match="the CUDA driver says 700"):
            session.run("out:0", {"x:0": _x(3)})
        assert builder.memory.done[-3:] == ["SYNCHRONIZE", "COPY", "WAIT"]
        builder.memory.code = 0
        y = session.run("out:0", {"x:0": _x(3)})
        np.testing.assert_allclose(y, np.maximum(_x(3) @ _WEIGHTS, 0) + 1, rtol=1e-5, atol=1e-6)


def test_threads_take_turns() -> None:
    builder = OnHost()
    with session_of(_grafted(_product, builder)) as session:

        def work(k: int) -> list[float]:
            return [
                float(np.abs(session.run("out:0", {"x:0": x}) - (np.maximum(x @ _WEIGHTS, 0) + 1)).max())
                for x in (_x(3) + k + i for i in range(30))
            ]

        with ThreadPoolExecutor(4) as pool:
            assert max(max(errors) for errors in pool.map(work, range(4))) < 1e-5


def test_what_cannot_be_captured_runs_without(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(captured.Captured):
        def __init__(self, *args: Any) -> None:
            raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(device, "Captured", Refused)
    builder = OnHost()
    tfgraft.runtime.reset_counters()
    with session_of(_grafted(_product, builder)) as session:
        for _ in range(4):
            y = session.run("out:0", {"x:0": _x(3)})
            np.testing.assert_allclose(y, np.maximum(_x(3) @ _WEIGHTS, 0) + 1, rtol=1e-5, atol=1e-6)
    assert tfgraft.runtime.counters().fallbacks == 0


def test_providers_decide_where_an_engine_works() -> None:
    def made(*providers: Any) -> BuiltEngine:
        options = OnnxRuntimeOptions.of({"providers": providers} if providers else {})
        return BuiltEngine("onnxruntime", b"", (), (), metadata={"options": options.to_dict()})

    builder = OnnxRuntimeBuilder()
    assert device_kinds(builder) == ("CPU", "GPU")
    assert device_kinds(builder, made()) == device_kinds(builder, made("CPUExecutionProvider")) == ("CPU",)
    assert device_kinds(builder, made(("CUDAExecutionProvider", {"use_tf32": "0"}))) == ("CPU", "GPU")


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="ONNX Runtime is made for GPUs")
def test_without_a_gpu_an_engine_for_one_runs_on_the_cpu_and_says_why_not_on_a_gpu() -> None:
    graph_def = build(_product)
    loaded = load(graph_def, outputs=["out"])
    pipeline = tfgraft.default_pipeline(minimum_segment_size=1, cut_light=False)
    grafted = tfgraft.optimize(loaded, pipeline=pipeline, strict=True, providers=["CUDAExecutionProvider"])
    (node,) = [node for node in grafted.graph_def.node if node.op == "TfGraft>Engine"]
    assert node.device == "", "TensorFlow may put it on a GPU"
    with session_of(grafted.graph_def) as session:
        np.testing.assert_allclose(
            session.run("out:0", {"x:0": _x(3)}), np.maximum(_x(3) @ _WEIGHTS, 0) + 1, rtol=1e-5, atol=1e-6
        )
    built = BuiltEngine("onnxruntime", b"", (), (), metadata={"options": OnnxRuntimeOptions().to_dict(), "weights": []})
    with pytest.raises(device.NoProvider, match="pip install onnxruntime-gpu"):
        OnnxRuntimeBuilder().load(built, (), Device("GPU"))
