"""The engine in a device's memory, on a device whose memory is the host's: the same code as on a GPU but for CUDA."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import onnxruntime as ort
import pytest
import tensorflow as tf

import tfgraft
import tfgraft.runtime
from tests.passes.graft import build, v1
from tests.runtime.device import LABEL, register_device
from tests.runtime.graphs import session_of
from tfgraft.load import load
from tfgraft.plugins.onnxruntime import captured, device
from tfgraft.plugins.onnxruntime.builder import OnnxRuntimeBuilder
from tfgraft.plugins.onnxruntime.captured import Lane
from tfgraft.plugins.onnxruntime.options import OnnxRuntimeOptions
from tfgraft.plugins.onnxruntime.session import lay_out_weights, make_session
from tfgraft.plugins.protocol import Array, BuiltEngine, Device, DeviceExecutor, Executor, device_kinds

_WEIGHTS = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
_STREAM = 7


@dataclass
class Memory:
    """The host's memory in the place of a device's; it notes what is done."""

    done: list[str] = field(default_factory=list)

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

        in_place, launched = ["synchronize", "wait"], ["synchronize", "copy", "copy", "wait"]
        assert actions(3) == in_place
        assert actions(3) == actions(3) == launched
        assert actions(5) == actions(4) == in_place, "shapes that change are not worth a graph"
        assert actions(3) == launched
        assert actions(4) == in_place
        assert actions(4) == launched
        assert actions(6) == actions(6) == actions(6) == in_place, "there are two graphs at most"


def test_what_cannot_be_captured_runs_without(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(captured.Captured):
        def run(self, inputs: Any, results: Any) -> None:
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
