"""Grafting with engine="xla": what the result is made of, and its numbers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.passes.graft import build, graft, native, run
from tests.xla.nets import SHAPE, calls, conv_net, image
from tfgraft.distance import relative_error
from tfgraft.plugins.protocol import Device
from tfgraft.registry.registry import Registry

v1 = tf.compat.v1


def close(want: Any, got: Any) -> bool:
    return want.dtype == got.dtype and relative_error(np.asarray(want), np.asarray(got)) < 1e-4


def test_a_cluster_becomes_a_call_of_its_segment(registry: Registry) -> None:
    graph_def = build(conv_net)
    result = graft(graph_def, ["out:0"], engine="xla", registry=registry)
    (call,) = calls(result.graph_def.node)
    assert call.op == "PartitionedCall"
    assert not result.engines, "there is no engine node"
    assert [i for i in call.input if i != "x"] == ["kernel", "weights"], "each weight stays one Const node"
    assert sum(n.op == "Const" for n in result.graph_def.node) == 2
    names = [f.signature.name for f in result.graph_def.library.function]
    assert names == [call.attr["f"].func.name]
    (cluster,) = result.report.clusters
    assert (cluster.engine, cluster.engine_node) == ("xla", call.name)
    assert cluster.payload_bytes > 0
    assert {n.cluster for n in result.report.nodes if n.name in ("conv", "flat", "product")} == {cluster.id}
    for batch in (2, 1, 5):
        feeds = {"x:0": image(batch, batch)}
        assert close(*run(graph_def, ["out:0"], feeds), *run(result.graph_def, ["out:0"], feeds))


def test_the_shape_of_the_result_is_known(registry: Registry) -> None:
    result = graft(build(conv_net), ["out:0"], engine="xla", registry=registry)
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(result.graph_def, name="")
    assert graph.get_tensor_by_name("out:0").shape.as_list() == [None, 10]


def test_several_clusters_and_native_ops_between(registry: Registry) -> None:
    def net() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        h = native(tf.tanh(tf.exp(x)) + 1.0, "native")
        tf.sigmoid(tf.sqrt(tf.abs(h)), name="out")

    graph_def = build(net)
    result = graft(graph_def, ["out:0", "native:0"], engine="xla", registry=registry)
    assert len(calls(result.graph_def.node)) == 2
    feeds = {"x:0": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)}
    wants, gots = (run(g, ["out:0", "native:0"], feeds) for g in (graph_def, result.graph_def))
    assert all(close(want, got) for want, got in zip(wants, gots, strict=True))


def test_equal_clusters_share_a_function_of_one_name_over_models(registry: Registry) -> None:
    first, second = (graft(build(conv_net), ["out:0"], engine="xla", registry=registry).graph_def for _ in range(2))
    assert first.library == second.library

    def other() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        tf.sigmoid(tf.exp(x), name="out")

    third = graft(build(other), ["out:0"], engine="xla", registry=registry).graph_def
    assert third.library.function[0].signature.name != first.library.function[0].signature.name


def cast_net(dtype: Any) -> Callable[[], None]:
    def net() -> None:
        x = v1.placeholder(dtype, [None, 4], "x")
        h = x if x.dtype == tf.bool else tf.abs(x) * x
        tf.identity(tf.concat([h, x], 0), name="out")

    return net


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64", "int8", "int32", "int64", "complex64", "bool"])
def test_types(name: str, registry: Registry) -> None:
    dtype = tf.as_dtype(name)
    graph_def = build(cast_net(dtype) if name != "complex64" else complex_net)
    result = graft(graph_def, ["out:0"], engine="xla", registry=registry)
    assert calls(result.graph_def.node)
    values = np.arange(8).reshape(2, 4).astype(dtype.as_numpy_dtype)
    for feeds in ({"x:0": values}, {"x:0": values[:0]}):
        (want,), (got,) = run(graph_def, ["out:0"], feeds), run(result.graph_def, ["out:0"], feeds)
        assert want.dtype == got.dtype
        assert want.shape == got.shape
        np.testing.assert_allclose(
            got.astype("complex64"), want.astype("complex64"), rtol=1e-2 if "16" in name else 1e-5
        )


def complex_net() -> None:
    x = v1.placeholder(tf.complex64, [None, 4], "x")
    tf.signal.fft(tf.concat([x, x], 1), name="out")


def test_inside_of_functions(registry: Registry) -> None:
    """A branch with an op that XLA has not stays TensorFlow's; what it has in the branch becomes a call there."""

    def net() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")

        def yes() -> Any:
            return native(tf.exp(tf.tanh(x)) * 2.0, "in_branch")

        tf.identity(tf.cond(tf.reduce_sum(x) > 0, yes, lambda: x - 1.0), name="out")

    graph_def = build(net)
    result = graft(graph_def, ["out:0"], engine="xla", registry=registry)
    inner = [calls(f.node_def) for f in result.graph_def.library.function]
    assert sum(map(len, inner)) == 2, "one in each branch"
    for value in (1.0, -1.0):
        feeds = {"x:0": np.full((2, 4), value, np.float32)}
        assert close(*run(graph_def, ["out:0"], feeds), *run(result.graph_def, ["out:0"], feeds))


def test_loops_are_compiled_whole(registry: Registry) -> None:
    def net() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        tf.identity(tf.while_loop(lambda i, a: i < 5, lambda i, a: (i + 1, tf.tanh(a) + 1.0), (0, x))[1], name="out")

    graph_def = build(net)
    result = graft(graph_def, ["out:0"], engine="xla", registry=registry)
    assert len(calls(result.graph_def.node)) == 1
    assert not result.report.refusals
    feeds = {"x:0": np.ones((3, 4), np.float32)}
    assert close(*run(graph_def, ["out:0"], feeds), *run(result.graph_def, ["out:0"], feeds))


def test_a_recurrent_loop_with_its_lists(registry: Registry) -> None:
    import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input((7, 3), batch_size=2)
    model = keras.Model(inputs, keras.layers.LSTM(5, return_sequences=True)(inputs))
    grafted = tfgraft.optimize(model, engine="xla", registry=registry)
    x = np.random.default_rng(0).random((2, 7, 3), np.float32)
    (got,) = grafted.function()(tf.constant(x))
    assert calls(grafted.graph_def.node)
    assert close(model(x).numpy(), got.numpy())


def test_threads(registry: Registry) -> None:
    grafted = tfgraft.optimize(build(conv_net), outputs=["out"], engine="xla", registry=registry)
    function, images = grafted.function(), [image(i, 1 + i % 3) for i in range(12)]
    want = [run(grafted.loaded.graph_def, ["out:0"], {"x:0": one})[0] for one in images]
    got: list[Any] = [None] * len(images)

    def work(start: int) -> None:
        for i in range(start, len(images), 4):
            got[i] = function(tf.constant(images[i]))[0].numpy()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(close(a, b) for a, b in zip(want, got, strict=True))


class Buffers:
    """Outputs of an executor."""

    def __init__(self) -> None:
        self.arrays: dict[int, Any] = {}

    def allocate(self, i: int, shape: Any) -> Any:
        self.arrays[i] = np.empty(shape, np.float32)
        return self.arrays[i]


def test_an_engine_on_its_own(registry: Registry) -> None:
    """What is called with arrays, outside of any graph."""
    graph_def = build(conv_net)
    (built,) = graft(graph_def, ["out:0"], engine="xla", registry=registry).ctx.results["built"]
    values = {node.name: tf.make_ndarray(node.attr["value"].tensor) for node in graph_def.node if node.op == "Const"}
    weights = [values[ref.node] for ref in built.cluster.weights]
    executor: Any = registry.engines["xla"].load(built.engine, weights, Device())
    for batch in (2, 3):
        outputs = Buffers()
        executor.run([image(batch=batch)], outputs)
        assert close(run(graph_def, ["out:0"], {"x:0": image(batch=batch)})[0], outputs.arrays[0])


def test_verification_is_left_to_tensorflow(registry: Registry) -> None:
    grafted = tfgraft.optimize(build(conv_net), outputs=["out"], engine="xla", registry=registry, verify=True)
    assert all(check.ok for check in grafted.report.verified)


def test_a_graph_grafted_before_is_taken_again(registry: Registry) -> None:
    once = tfgraft.optimize(build(conv_net), outputs=["out"], engine="xla", registry=registry)
    twice = tfgraft.optimize(once.graph_def, outputs=["out"], engine="xla", registry=registry)
    assert len(calls(twice.graph_def.node)) == 1
    x = image()
    assert close(*run(once.graph_def, ["out:0"], {"x:0": x}), *run(twice.graph_def, ["out:0"], {"x:0": x}))


def test_options_and_names(registry: Registry) -> None:
    with pytest.raises(ValueError, match="engine xla has no option 'threads'"):
        tfgraft.optimize(build(conv_net), outputs=["out"], engine="xla", registry=registry, threads=2)
    report = tfgraft.plan(build(conv_net), outputs=["out"], engine="xla", registry=registry)
    assert [c.engine for c in report.clusters] == ["xla"]
    assert SHAPE[0] == 2
