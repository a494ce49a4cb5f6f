"""The engine op on a device: pointers in, pointers out, and the native segment by way of the host."""

from __future__ import annotations

import logging
import threading
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft.runtime
from tests.runtime.affine import AffineBuilder, affine_engine
from tests.runtime.device import LABEL, DeviceEngine, HostMemory, register_device
from tests.runtime.graphs import engine_graph, numbers, run_once, session_of
from tfgraft.passes.replace_clusters import on_device as on_device_of
from tfgraft.plugins.protocol import Device, DeviceArray, converter_sets, device_kinds


@pytest.fixture(scope="module")
def kernel() -> HostMemory:
    return register_device()


@pytest.fixture
def memory(kernel: HostMemory) -> HostMemory:
    tfgraft.runtime.reset_counters()
    kernel.done.clear()
    return kernel


@pytest.fixture
def engine() -> DeviceEngine:
    made = DeviceEngine()
    tfgraft.runtime.register_engine(made)
    return made


def on_device(*args: Any, **more: Any) -> tuple[Any, str]:
    graph, name = engine_graph(*args, **more)
    graph.node[-1].attr["_kernel"].s = LABEL.encode()
    return graph, name


@pytest.mark.parametrize("shape", [(2, 3), (), (0, 3), (1, 5, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
def test_runs_on_device_pointers(memory: HostMemory, engine: DeviceEngine, shape: Any, dtype: str) -> None:
    graph, name = on_device(*affine_engine("device", dtype))
    x = numbers(*shape, dtype=dtype)
    with session_of(graph) as session:
        for k in range(3):
            np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x + k}), (x + k) * 2 + 1)
    counted = tfgraft.runtime.counters().engines[name]
    assert (counted.calls, counted.fallbacks, counted.loads) == (3, 0, 1)
    assert memory.done == [], "nothing is copied when the engine runs"
    assert engine.loaded_on == [Device("GPU", 0)]
    for seen in engine.seen:
        assert isinstance(seen, DeviceArray)
        assert (seen.shape, seen.dtype) == (x.shape, x.dtype)


def test_other_libraries_can_read_a_device_array() -> None:
    array = DeviceArray(4096, (2, 3), np.dtype("float16"))
    assert array.nbytes == 12
    assert array.__cuda_array_interface__ == {
        "version": 3, "shape": (2, 3), "typestr": "<f2", "data": (4096, False)
    }  # fmt: skip


def test_weights_come_to_the_host_once(memory: HostMemory, engine: DeviceEngine) -> None:
    w = np.array([1.0, 10.0, 100.0], np.float32)
    graph, name = on_device(*affine_engine("device", shape=(-1, 3), weights=[w]), weights=[w])
    x = numbers(2, 3)
    with session_of(graph) as session:
        for _ in range(2):
            np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x}), x * w + 1)
    assert memory.done == ["synchronize", "to_host"]


@pytest.mark.parametrize(
    ("fault", "cause"),
    [("load", "the device refuses it"), ("run", "the device is tired"), ("late", "the device gave up")],
)
def test_the_segment_answers_through_the_host(
    memory: HostMemory, engine: DeviceEngine, fault: str, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine.fault = fault
    graph, name = on_device(*affine_engine("device", shape=(-1, 3)))
    x = numbers(2, 3)
    with caplog.at_level(logging.WARNING, "tfgraft"), session_of(graph) as session:
        for _ in range(2):
            np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x}), x * 2 + 1)
    assert [cause in r.getMessage() for r in caplog.records if r.name == "tfgraft"] == [True]
    counted = tfgraft.runtime.counters().engines[name]
    assert (counted.calls, counted.fallbacks) == (2, 2)
    assert memory.done == ["synchronize", "to_host", "synchronize", "to_device"] * 2
    with pytest.raises(tf.errors.OpError, match=cause):
        run_once(*on_device(*affine_engine("device", shape=(-1, 3)), strict=True), x)


def test_shapes_that_the_engine_was_not_built_for(memory: HostMemory, engine: DeviceEngine) -> None:
    graph, name = on_device(*affine_engine("device", shape=(2, 3)))
    with session_of(graph) as session:
        for shape in ((2, 3), (3, 2), (2, 3)):
            x = numbers(*shape)
            np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x}), x * 2 + 1)
    assert tfgraft.runtime.counters().engines[name].fallbacks == 1


def test_threads(memory: HostMemory, engine: DeviceEngine) -> None:
    graph, name = on_device(*affine_engine("device"))
    wrong: list[Any] = []
    with session_of(graph) as session:

        def work(k: int) -> None:
            for _ in range(20):
                x = numbers(k + 1, 3) + k
                if not np.array_equal(session.run(f"{name}:0", {"x:0": x}), x * 2 + 1):
                    wrong.append(k)

        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert tfgraft.runtime.counters().engines[name].calls == 80
    assert len(engine.loaded_on) == 1


def test_no_memory_is_an_error_of_the_call(memory: HostMemory, engine: DeviceEngine) -> None:
    class Greedy(DeviceEngine):
        def run(self, inputs: Any, outputs: Any) -> None:
            outputs.scratch(2**60)

    tfgraft.runtime.register_engine(Greedy(name="greedy"))
    graph, name = on_device(*affine_engine("greedy"))
    assert run_once(graph, name, np.float32(1)) == 3
    (cause,) = tfgraft.runtime.counters().engines[name].causes
    assert f"MemoryError: {2**60} bytes of working memory cannot be allocated" in cause


def test_an_engine_of_the_cpu_is_not_loaded_on_a_device(memory: HostMemory) -> None:
    builder = AffineBuilder()
    tfgraft.runtime.register_engine(builder)
    graph, name = on_device(*affine_engine())
    assert run_once(graph, name, np.float32(1)) == 3
    (cause,) = tfgraft.runtime.counters().engines[name].causes
    assert "it runs on the CPU and TensorFlow has placed the node on the GPU" in cause
    assert builder.loads == []


def test_builders_say_where_and_how_they_build() -> None:
    assert device_kinds(AffineBuilder()) == ("CPU",)
    assert device_kinds(DeviceEngine()) == ("GPU",)
    assert converter_sets(AffineBuilder(converters=("a", "b")), {}) == ("a", "b")


@pytest.mark.parametrize(
    ("device", "kinds", "placed"),
    [
        ("", ("CPU",), "/device:CPU:0"),
        ("/device:GPU:0", ("CPU",), "/device:CPU:0"),
        ("/job:worker/replica:0/task:1/device:GPU:3", ("CPU",), "/job:worker/replica:0/task:1/device:CPU:0"),
        ("", ("GPU",), ""),
        ("/device:GPU:1", ("GPU",), "/device:GPU:1"),
    ],
)
def test_engines_of_the_cpu_are_pinned_to_it(device: str, kinds: tuple[str, ...], placed: str) -> None:
    assert on_device_of(device, kinds) == placed
