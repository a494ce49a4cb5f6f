"""`Grafted.predictor()`: how it is called, what it gives, and what it says of wrong inputs."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
import tfgraft.runtime
from tests.passes.graft import build
from tests.predictor.nets import X, graft, keras_model, mlp, two_by_two, with_native
from tfgraft.arguments import Arguments
from tfgraft.errors import FeedError
from tfgraft.registry.registry import Registry

v1 = tf.compat.v1


@pytest.fixture(scope="module")
def small(registry: Registry) -> tfgraft.Grafted:
    return graft(mlp, registry)


@pytest.fixture(scope="module")
def signed(registry: Registry) -> tfgraft.Grafted:
    pipeline = tfgraft.default_pipeline(minimum_segment_size=1, cut_light=False)
    return tfgraft.optimize(keras_model(), registry=registry, pipeline=pipeline)


def test_the_direct_path_gives_what_the_function_gives(small: tfgraft.Grafted) -> None:
    predictor = small.predictor()
    assert predictor.is_direct
    assert "straight to the engine" in repr(predictor)
    assert small.predictor() is predictor
    for rows in (3, 1, 0, 2):
        got, want = predictor(X[:rows]), small.function()(tf.constant(X[:rows]))
        assert isinstance(got, list)
        assert [type(g) for g in got] == [np.ndarray]
        assert (got[0].shape, got[0].dtype) == ((rows, 5), np.float32)
        np.testing.assert_allclose(got[0], want[0].numpy(), rtol=1e-6)


def test_it_counts_its_calls(small: tfgraft.Grafted) -> None:
    predictor = small.predictor()
    tfgraft.runtime.reset_counters()
    for _ in range(5):
        predictor(X)
    (cluster,) = small.report.clusters
    assert tfgraft.runtime.counters().engines[cluster.engine_node].calls == 5
    assert tfgraft.runtime.counters().fallbacks == 0


def test_order_of_inputs_and_outputs(registry: Registry) -> None:
    grafted = graft(two_by_two, registry, ("out", "sum"))
    predictor, a, b = grafted.predictor(), X, np.arange(12, dtype=np.int32).reshape(3, 4)
    assert predictor.is_direct
    values = {"a": a, "b": b}
    given = [values[name.partition(":")[0]] for name in grafted.inputs]
    total = b + np.tanh(a)
    out, summed = predictor(*given)
    np.testing.assert_allclose(summed, total, rtol=1e-5)
    np.testing.assert_allclose(out, 1 / (1 + np.exp(-(total * 2 - a))), rtol=1e-5)
    named = predictor(b=b, a=a)
    assert list(named) == ["out", "sum"]
    np.testing.assert_array_equal(named["sum"], summed)
    np.testing.assert_array_equal(predictor({"b:0": b, "a:0": a})["out"], out)


@pytest.mark.parametrize("rows", [1, 1000])
def test_again_and_again(rows: int, registry: Registry) -> None:
    """ONNX Runtime's small calls are prepared once, for each shape; large ones are not."""
    predictor = graft(two_by_two, registry, ("out", "sum")).predictor()
    random = np.random.default_rng(0)
    found = []
    for i in range(24):
        count = rows * (1 + i // 4 % 6)
        a, b = random.random((count, 4), np.float32), random.integers(-3, 3, (count, 4), np.int32)
        found.append((b + np.tanh(a), predictor(a=a, b=b)["sum"]))
    for want, got in found:  # all of them only now: no result is another call's buffer
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_names_of_a_signature(signed: tfgraft.Grafted) -> None:
    predictor, left, right = signed.predictor(), X, X[:, :3].copy()
    assert predictor.is_direct
    in_order = predictor(left, right)
    named = predictor(left=left, right=right)
    assert signed.signature is not None
    assert list(named) == list(signed.signature.outputs)
    assert isinstance(in_order, list)
    for a, b in zip(in_order, named.values(), strict=True):
        np.testing.assert_array_equal(a, b)
    want = signed.function()(tf.constant(left), tf.constant(right))
    for a, c in zip(in_order, want, strict=True):
        np.testing.assert_allclose(a, c.numpy(), rtol=1e-5, atol=1e-6)
    assert predictor({"right": right, "left": left}).keys() == named.keys()


def test_results_belong_to_the_caller(small: tfgraft.Grafted) -> None:
    predictor = small.predictor()
    first = predictor(X)[0]
    kept = first.copy()
    second = predictor(X * 2)[0]
    assert not np.may_share_memory(first, second)
    np.testing.assert_array_equal(first, kept)
    first[...] = 7  # writable, and nobody else's
    np.testing.assert_array_equal(predictor(X)[0], kept)


class Tensor:
    """What another library's tensor shows of itself."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.dtype = f"other.{array.dtype}"

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


class OnADevice(Tensor):
    """A tensor in a GPU's memory."""

    def __dlpack__(self, **options: Any) -> Any:
        raise BufferError("it is in the memory of cuda:0")

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise TypeError("cannot convert cuda:0 tensor to numpy, copy it to the CPU first")


def test_what_is_taken(small: tfgraft.Grafted) -> None:
    predictor = small.predictor()
    (want,) = predictor(X)
    twice = np.repeat(X, 2, axis=1)
    unaligned = np.frombuffer(b"." + X.tobytes(), np.float32, offset=1).reshape(X.shape)
    frozen = X.copy()
    frozen.setflags(write=False)
    for value in (Tensor(X), tf.constant(X), X.tolist(), twice[:, ::2], np.asfortranarray(X), unaligned, frozen):
        np.testing.assert_array_equal(predictor(value)[0], want)


def test_no_copy_of_what_comes_by_dlpack(small: tfgraft.Grafted) -> None:
    arguments = Arguments(small.loaded)
    for value in (Tensor(X), X):
        (array,) = arguments.in_order((value,))
        assert np.shares_memory(X, array)


@pytest.mark.parametrize(
    ("values", "named", "message"),
    [
        ((), {}, r"No value is given for 'x'\. The model's inputs are: x float32\[\?, 4\]"),
        ((X, X), {}, "2 values are given, and the model has 1 inputs"),
        ((X[:, :3],), {}, r"Input x float32\[\?, 4\] is given a value of shape \[3, 3\]"),
        ((X[0],), {}, r"is given a value of shape \[4\]"),
        ((X.astype(np.float64),), {}, r"Input x .* of type float64\. Convert it with astype\('float32'\)"),
        ((X.astype(np.int32),), {}, r"of type int32"),
        ((X.astype(">f4"),), {}, r"of type >f4"),
        ((np.full((3, 4), "a"),), {}, r"of type <U1"),
        (([["a"] * 4],), {}, r"of type <U1"),
        (([[1, 2, 3, 4], [1]],), {}, r"input x .* a list, cannot be read"),
        ((None,), {}, r"of type object"),
        ((OnADevice(X),), {}, "a OnADevice, cannot be read as an array in host memory: cannot convert cuda:0"),
        ((), {"y": X}, r"'y', which is no input of the model"),
        ((), {"x": X, "z": X}, r"'z', which is no input of the model"),
        ((X,), {"x": X}, "Give all of them in one way"),
        (({},), {}, "No value is given for 'x'"),
        (({"x": X, "x:0": X},), {}, "Input 'x' is given twice"),
        ((), {"x": {"x": X}}, "of type object"),
    ],
)
def test_what_is_refused(values: Any, named: Any, message: str, small: tfgraft.Grafted) -> None:
    predictor = small.predictor()
    tfgraft.runtime.reset_counters()
    with pytest.raises(FeedError, match=message):
        predictor(*values, **named)
    assert tfgraft.runtime.counters().calls == 0, "before the engine is called"


def test_missing_inputs_are_named(signed: tfgraft.Grafted) -> None:
    with pytest.raises(FeedError, match="No value is given for 'right'"):
        signed.predictor()(X)
    with pytest.raises(FeedError, match=r"'lefd', .* Did you mean 'left'"):
        signed.predictor()(lefd=X, right=X)
    with pytest.raises(FeedError, match="No value is given for 'left'"):
        signed.predictor()(right=X)


@pytest.mark.parametrize("engine", ["onnxruntime", "xla"])
def test_without_a_direct_path(engine: str, registry: Registry) -> None:
    grafted = graft(with_native, registry, engine=engine)
    predictor = grafted.predictor()
    assert not predictor.is_direct
    assert "through TensorFlow" in repr(predictor)
    (got,) = predictor(X)
    np.testing.assert_allclose(got, grafted.function()(tf.constant(X))[0].numpy(), rtol=1e-6)
    np.testing.assert_array_equal(predictor(x=Tensor(X))["out"], got)
    with pytest.raises(FeedError, match="of type float64"):
        predictor(X.astype(np.float64))


def test_strings_go_through_tensorflow(registry: Registry) -> None:
    def net() -> None:
        x = v1.placeholder(tf.string, [None], "x")
        tf.strings.length(x, name="out")

    predictor = graft(net, registry).predictor()
    assert not predictor.is_direct
    for value in (["ab", "c"], np.array(["ab", "c"]), np.array([b"ab", b"c"], object)):
        np.testing.assert_array_equal(predictor(value)[0], [2, 1])
    with pytest.raises(FeedError, match=r"Input x string\[\?\] is given a value of type int64"):
        predictor([1, 2])


@pytest.mark.parametrize("net", [mlp, two_by_two])
def test_several_engines_one_after_the_other(net: Any, registry: Registry) -> None:
    outputs = ("sum", "out") if net is two_by_two else ("out",)
    options: Any = {"registry": registry, "outputs": list(outputs), "strict": True}
    pipeline = tfgraft.default_pipeline(minimum_segment_size=1, maximum_segment_size=2, cut_light=False)
    grafted = tfgraft.optimize(build(net), pipeline=pipeline, **options)
    assert sum(node.op == tfgraft.runtime.OP_NAME for node in grafted.graph_def.node) > 1
    predictor = grafted.predictor()
    assert predictor.is_direct
    for rows in (3, 1, 0):
        feeds = [X[:rows], np.arange(4 * rows, dtype=np.int32).reshape(rows, 4)][: len(grafted.loaded.inputs)]
        got, want = predictor(*feeds), grafted.function()(*map(tf.constant, feeds))
        for one, other in zip(got, want, strict=True):
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-6)


def test_outputs_without_rank(registry: Registry) -> None:
    def net() -> None:
        x = v1.placeholder(tf.float32, [], "x")
        tf.tanh(tf.exp(x) * 0.5, name="out")

    for engine in ("onnxruntime", "xla"):
        (y,) = graft(net, registry, engine=engine).predictor()(np.float32(0.25))
        assert (type(y), y.shape) == (np.ndarray, ())
        assert abs(y - np.tanh(np.exp(0.25) * 0.5)) < 1e-6


def test_a_side_effect_is_no_direct_path(registry: Registry) -> None:
    """What the engine waits for must have happened."""

    def net() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        with tf.control_dependencies([tf.raw_ops.Assert(condition=tf.reduce_all(x < 5), data=[x])]):
            h = tf.identity(x)
        tf.tanh(tf.exp(h), name="out")

    predictor = graft(net, registry).predictor()
    assert not predictor.is_direct
    with pytest.raises(tf.errors.InvalidArgumentError):
        predictor(X + 10)


def test_an_output_that_is_an_input(registry: Registry) -> None:
    grafted = graft(mlp, registry, ("out", "x"))
    predictor = grafted.predictor()
    assert not predictor.is_direct
    np.testing.assert_array_equal(predictor(X)[1], X)


def test_one_output_twice(registry: Registry) -> None:
    def net() -> None:
        mlp()
        graph = tf.compat.v1.get_default_graph()
        tf.identity(graph.get_tensor_by_name("out:0"), name="again")

    out, again = graft(net, registry, ("out", "again")).predictor()(X)
    np.testing.assert_array_equal(out, again)


def test_threads(small: tfgraft.Grafted) -> None:
    predictor = small.predictor()
    batches = [np.random.default_rng(i).random((1 + i % 5, 4), np.float32) for i in range(40)]
    want = [small.function()(tf.constant(b))[0].numpy() for b in batches]
    wrong: list[int] = []

    def work(start: int) -> None:
        for _ in range(20):
            for i in range(start, len(batches), 4):
                if not np.allclose(predictor(batches[i])[0], want[i], rtol=1e-5):
                    wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_large_results(registry: Registry) -> None:
    """Beyond the size up to which ONNX Runtime's results are copied."""

    def net() -> None:
        x = v1.placeholder(tf.float32, [None, 300], "x")
        tf.sigmoid(tf.tanh(x) * 3.0, name="out")

    predictor = graft(net, registry).predictor()
    results = [predictor(np.full((50, 300), value, np.float32))[0] for value in (0.1, 0.2)]
    for value, result in zip((0.1, 0.2), results, strict=True):
        np.testing.assert_allclose(result, np.full((50, 300), 1 / (1 + np.exp(-3 * np.tanh(value)))), rtol=1e-5)


def test_it_is_let_go_of(registry: Registry) -> None:
    import gc

    from tfgraft.runtime.process import current

    gc.collect()
    before = len(current()[0]._engines)
    grafted = graft(mlp, registry)
    grafted.predictor()(X)
    assert len(current()[0]._engines) >= before
    count = len(current()[0]._engines)
    other = tfgraft.optimize(build(two_by_two), outputs=["out"], registry=registry, minimum_segment_size=1)
    other.predictor()
    del other
    gc.collect()
    assert len(current()[0]._engines) == count
