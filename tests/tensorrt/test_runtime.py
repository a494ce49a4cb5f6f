"""Running engines: TensorRT refuses them here, and the executor's own code runs an engine in numpy in their place."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft.runtime
from tests.runtime.affine import affine_engine
from tests.runtime.device import LABEL, register_device
from tests.runtime.graphs import engine_graph, numbers, session_of
from tests.tensorrt.engines import built, chain, graph_of
from tests.tensorrt.standin import Driver, Engine, Module
from tfgraft.plugins.protocol import Array, BuiltEngine, Device, DeviceExecutor
from tfgraft.plugins.tensorrt.builder import TensorRtBuilder
from tfgraft.plugins.tensorrt.executor import TensorRtExecutor
from tfgraft.plugins.tensorrt.flavour import NoTensorRt
from tfgraft.plugins.tensorrt.loading import EngineRefused
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import SUPPORTED, Support

PROFILES = [[[[1, 4], [4, 4], [8, 4]]], [[[1, 4], [64, 4], [100, 4]]], [[[3, 4], [3, 4], [3, 4]]]]


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU, see benchmarks/gpu")
def test_without_a_driver_the_engine_is_refused_with_a_reason(everything: Registry) -> None:
    engine = built(graph_of(chain), everything, compute_capabilities=("8.6", "8.9"))
    with pytest.raises(EngineRefused) as caught:
        TensorRtBuilder().load(engine, [], Device("GPU"))
    version = engine.metadata["version"]
    assert str(caught.value).startswith(
        f"TensorRT-RTX {version} refuses an engine that {version} built for compute capability 8.6, 8.9 on this "
        "machine (there is no CUDA driver here"
    )


def test_an_engine_of_a_flavour_that_is_not_here(everything: Registry) -> None:
    engine = BuiltEngine("tensorrt", b"", (), (), (), {"flavour": "tensorrt_of_tomorrow", "version": "99"})
    with pytest.raises(NoTensorRt, match="tensorrt_of_tomorrow"):
        TensorRtBuilder().load(engine, [], Device("GPU"))


@dataclass
class StandIn:
    """A builder whose engines are run by the executor of TensorRT's."""

    engine: Engine
    name: str = "stand_in"
    converters: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("GPU",)
    driver: Driver = field(default_factory=Driver)

    def available(self) -> Support:
        return SUPPORTED

    def check_options(self, options: Mapping[str, Any]) -> None:
        """It has none."""

    def build(self, cluster: Any, context: Any) -> BuiltEngine:
        raise NotImplementedError

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> DeviceExecutor:
        profiled = BuiltEngine(engine.engine, b"", engine.inputs, engine.outputs, (), {"profiles": PROFILES})
        silent = type("Logger", (), {"take": lambda self: "it is broken"})()
        return TensorRtExecutor(Module(), self.engine, profiled, self.driver, (None, silent))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def device() -> Any:
    return register_device()


def grafted(engine: Engine) -> tuple[Any, str]:
    engine.profiles = len(PROFILES)
    tfgraft.runtime.register_engine(StandIn(engine))
    tfgraft.runtime.reset_counters()
    graph, name = engine_graph(*affine_engine("stand_in", shape=(-1, 4), output_shape=(-1, 4)))
    graph.node[-1].attr["_kernel"].s = LABEL.encode()
    return graph, name


def test_the_tightest_profile_runs(device: Any) -> None:
    engine = Engine()
    graph, name = grafted(engine)
    with session_of(graph) as session:
        for rows, profile in ((1, 0), (8, 0), (3, 2), (9, 1), (100, 1), (2, 0)):
            x = numbers(rows, 4)
            np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x}), x * 2 + 1)
            assert profile in [c.profile for c in engine.contexts]
        assert [c.profile for c in engine.contexts] == [0, 2, 1], "one context for each profile is enough"
        assert tfgraft.runtime.counters().fallbacks == 0
        x = numbers(101, 4)
        np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x}), x * 2 + 1)
    (cause,) = tfgraft.runtime.counters().engines[name].causes
    assert (
        "inputs of shapes [101, 4] are in none of the engine's profiles: [1, 4] to [8, 4]; [1, 4] to [100, 4]" in cause
    )


def test_threads_have_contexts_of_their_own(device: Any) -> None:
    engine = Engine()
    graph, name = grafted(engine)
    wrong: list[int] = []
    with session_of(graph) as session:

        def work(k: int) -> None:
            for i in range(20):
                x = numbers(1 + (k + i) % 20, 4) + k
                if not np.array_equal(session.run(f"{name}:0", {"x:0": x}), x * 2 + 1):
                    wrong.append(k)

        threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert tfgraft.runtime.counters().fallbacks == 0
    assert len(engine.contexts) <= 18


def test_outputs_whose_shape_depends_on_values(device: Any) -> None:
    graph, name = grafted(Engine(grows=True))
    x = np.array([[1, 2, 3, 4], [-1, -2, -3, -4], [5, 0, 0, 0]], np.float32)
    with session_of(graph) as session:
        for sign, rows in ((1, [0, 2]), (-1, [1]), (0, [])):
            got = session.run(f"{name}:0", {"x:0": x * sign})
            np.testing.assert_array_equal(got, (x * sign)[rows] * 2 + 1)
    assert tfgraft.runtime.counters().fallbacks == 0


def test_an_engine_that_does_not_run(device: Any) -> None:
    graph, name = grafted(Engine(broken=True))
    x = numbers(2, 4)
    with session_of(graph) as session:
        np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x}), x * 2 + 1)
    (cause,) = tfgraft.runtime.counters().engines[name].causes
    assert "RunError: TensorRT could not run: it is broken" in cause
