"""Predictors called with tensors in a GPU's memory, which is the host's here: all but CUDA itself is the same code."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
import tfgraft.runtime
from tests.runtime.affine import affine_engine
from tests.runtime.device import DeviceEngine, HostMemory, OnGpu
from tests.runtime.graphs import engine_graph
from tfgraft.dlpack import gpu_of, view
from tfgraft.errors import EngineError, FeedError
from tfgraft.load.model import LoadedModel, NamedTensor
from tfgraft.plugins.protocol import Device
from tfgraft.predictor import Predictor
from tfgraft.runtime.cuda import CudaError
from tfgraft.runtime.device_tensor import DevicePool, DeviceTensor

X = np.arange(6, dtype=np.float32).reshape(2, 3)


class OfNumpy(OnGpu):
    """One whose capsule is NumPy's own, with strides and all."""

    def __dlpack__(self, stream: Any = None) -> Any:
        return self.array.__dlpack__()


class Refusing(OnGpu):
    """One that its library does not give away."""

    def __dlpack__(self, stream: Any = None) -> Any:
        raise BufferError("Can't export tensors that require gradient")


@pytest.fixture
def memory() -> HostMemory:
    return HostMemory()


@pytest.fixture
def engine() -> Iterator[DeviceEngine]:
    made = DeviceEngine()
    tfgraft.runtime.register_engine(made)
    yield made
    tfgraft.runtime.unregister_engine("device")


def predictor(memory: HostMemory, strict: bool = False, name: str = "", **built: Any) -> tuple[Predictor, str]:
    """Return a predictor of one engine node on a GPU, and the node's name."""
    graph_def, name = engine_graph(*affine_engine("device", **built), strict=strict, name=name)
    dtype = built.get("dtype", "float32")
    inputs, outputs = (NamedTensor("x:0", dtype, None),), (NamedTensor(f"{name}:0", dtype, None),)
    return Predictor(graph_def, LoadedModel(graph_def, inputs, outputs), lambda: None, memory), name


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32", "uint8"])
@pytest.mark.parametrize("shape", [(2, 3), (), (0, 3), (1, 5, 1)])
def test_tensors_go_to_the_engine_and_results_stay(
    memory: HostMemory, engine: DeviceEngine, shape: Any, dtype: str
) -> None:
    predict, name = predictor(memory, dtype=dtype)
    x = np.ones(shape).astype(tf.as_dtype(dtype).as_numpy_dtype)
    (y,) = predict(OnGpu(x))
    assert isinstance(y, DeviceTensor)
    assert (y.shape, y.dtype, y.__dlpack_device__()) == (x.shape, x.dtype, (2, 0))
    np.testing.assert_array_equal(y.numpy(), x * 2 + 1)
    np.testing.assert_array_equal(np.asarray(y, np.float64), x.astype(np.float64) * 2 + 1)
    assert engine.loaded_on == [Device("GPU", 0)]
    assert engine.seen[0].address == x.ctypes.data or not x.size, "the engine has the caller's own memory"
    counted = tfgraft.runtime.counters().engines[name]
    assert (counted.calls, counted.fallbacks) == (1, 0)


def test_results_are_taken_by_dlpack_and_last_as_long_as_what_took_them(
    memory: HostMemory, engine: DeviceEngine
) -> None:
    predict, _ = predictor(memory)
    (y,) = predict(OnGpu(X))
    assert gpu_of(y) == 0
    assert y.__cuda_array_interface__["data"] == (y.address, False)
    (z,) = predict(y)  # results are inputs of the next call
    np.testing.assert_array_equal(z.numpy(), (X * 2 + 1) * 2 + 1)
    capsule, gone = y.__dlpack__(stream=1, max_version=(1, 0)), weakref.ref(y)
    address = y.address
    del y
    gc.collect()
    assert gone() is not None, "the capsule keeps it"
    assert view(capsule).address == address
    del capsule
    gc.collect()
    assert gone() is None
    with pytest.raises(BufferError, match=r"GPU 0 only; see numpy\(\)"):
        z.__dlpack__(dl_device=(1, 0))
    with pytest.raises(BufferError):
        z.__dlpack__(copy=True)


def test_memory_is_used_again_and_given_back_in_the_end(memory: HostMemory, engine: DeviceEngine) -> None:
    predict, _ = predictor(memory)
    for _ in range(20):
        predict(OnGpu(X))
    assert memory.done.count("allocate") == 2, "one piece for the result and one to work in"
    kept = [predict(OnGpu(X))[0] for _ in range(5)]
    assert len({y.address for y in kept}) == 5
    for rows in range(1, 60):
        predict(OnGpu(np.ones((rows, 3), np.float32)))
    assert len(memory.pieces) < 40, "pieces of all sizes are not kept for ever"
    del predict
    gc.collect()
    np.testing.assert_array_equal(kept[0].numpy(), X * 2 + 1)
    assert memory.pieces
    kept.clear()
    gc.collect()
    assert not memory.pieces


def test_kept_memory_is_given_up_where_there_is_none_left(memory: HostMemory) -> None:
    memory.room = 100
    pool = DevicePool(memory, 0)
    with memory.current(0):
        first = DeviceTensor(pool, (20,), np.dtype(np.float32))
        del first
        assert DeviceTensor(pool, (25,), np.dtype(np.float32)).shape == (25,)
        with pytest.raises(CudaError, match="OUT_OF_MEMORY"):
            DeviceTensor(pool, (26,), np.dtype(np.float32))
    gc.collect()


@pytest.mark.parametrize("fault", ["load", "run", "late"])
def test_the_segment_answers_for_an_engine_that_fails(
    memory: HostMemory, engine: DeviceEngine, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine.fault = fault
    predict, name = predictor(memory)
    with caplog.at_level(logging.WARNING, "tfgraft"):
        for _ in range(3):
            (y,) = predict(x=OnGpu(X)).values()
            assert isinstance(y, DeviceTensor)
            np.testing.assert_array_equal(y.numpy(), X * 2 + 1)
    assert tfgraft.runtime.counters().engines[name].fallbacks == 3
    assert "to_device" in memory.done
    (record,) = caplog.records
    assert name in record.getMessage()
    strict, name = predictor(memory, strict=True)
    with pytest.raises(EngineError, match=f"{name}.*the device"):
        strict(OnGpu(X))


def test_shapes_that_the_engine_was_not_built_for_go_to_the_segment(memory: HostMemory, engine: DeviceEngine) -> None:
    predict, name = predictor(memory, shape=(-1, 3))
    (y,) = predict(OnGpu(np.ones((2, 4), np.float32)))
    np.testing.assert_array_equal(y.numpy(), np.full((2, 4), 3, np.float32))
    assert tfgraft.runtime.counters().engines[name].fallbacks == 1
    assert not engine.seen


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (OnGpu(X.astype(np.float64)), r"Input x.* is given a value of type float64"),
        (OfNumpy(np.ones((3, 2), np.float32).T), r"input x.* cannot be taken: its elements do not follow each other"),
        (Refusing(X), r"input x.* cannot be taken: Can't export tensors that require gradient"),
    ],
)
def test_mistakes_name_the_input(memory: HostMemory, engine: DeviceEngine, value: Any, told: str) -> None:
    predict, _ = predictor(memory)
    with pytest.raises(FeedError, match=told):
        predict(value)
    assert not engine.seen


def test_strides_of_a_single_element_do_not_matter(memory: HostMemory, engine: DeviceEngine) -> None:
    predict, _ = predictor(memory)
    x = np.ones((4, 3), np.float32)[::4]
    np.testing.assert_array_equal(predict(OfNumpy(x))[0].numpy(), x * 2 + 1)
    empty = np.ones((4, 3), np.float32)[2:2, ::2]
    assert predict(OfNumpy(empty))[0].numpy().shape == (0, 2)


def test_threads(memory: HostMemory, engine: DeviceEngine) -> None:
    predict, _ = predictor(memory)

    def work(k: int) -> float:
        return max(float(np.abs(predict(OnGpu(X + k + i))[0].numpy() - ((X + k + i) * 2 + 1)).max()) for i in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(work, range(4))) == 0


def test_inputs_are_in_one_place() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], name="a"), tf.TensorSpec([None], name="b")])  # type: ignore[untyped-decorator]
    def add(a: Any, b: Any) -> Any:
        return tf.nn.relu(a + b) * 2

    predict = tfgraft.optimize(add).predictor()
    x = np.ones(3, np.float32)
    for a, b, told in (
        (OnGpu(x), x, "'a' on GPU 0, 'b' in host memory"),
        ([1.0], OnGpu(x, 1), "'a' in host memory, 'b' on GPU 1"),
        (OnGpu(x), OnGpu(x, 1), "'a' on GPU 0, 'b' on GPU 1"),
    ):
        with pytest.raises(FeedError, match=f"Inputs are in several places: {told}"):
            predict(a, b)
    with pytest.raises(FeedError, match="No value is given for 'b'"):
        predict(OnGpu(x))


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="TensorFlow takes tensors of the GPU here")
def test_a_model_for_the_cpu_says_where_it_wants_its_inputs() -> None:
    predict = tfgraft.optimize(
        tf.function(lambda x: tf.nn.relu(x) * 2, input_signature=[tf.TensorSpec([None, 3], name="x")])
    ).predictor()
    with pytest.raises(
        FeedError, match=r"Input x.* in a GPU's memory, where this model cannot take it.*\n*.*host memory"
    ):
        predict(OnGpu(X))
