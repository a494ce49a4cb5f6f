"""The engine openvino in TensorFlow: shapes and types as users have them, threads, weights, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.openvino.nets import NET, conv_net, images
from tests.passes.graft import Result, build, calls, check, graft, run, x
from tfgraft.registry.registry import Registry

v1 = tf.compat.v1
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.default()


def grafted(registry: Registry, function: Callable[[], Any], fetches: Sequence[str], **options: Any) -> Any:
    """Return the GraphDef of what `function` builds, and what became of it with one engine for all of it."""
    graph_def = build(function)
    result = graft(graph_def, fetches, registry=registry, engine="openvino", **options)
    assert len(result.engines) == 1, str(result.report)
    return graph_def, result


def test_any_batch_and_any_size_of_image(registry: Registry) -> None:
    graph_def, result = grafted(registry, conv_net, NET)
    check(graph_def, result, NET, *images((1, 8), (3, 8), (3, 17), (1, 8)))


def test_static_shapes(registry: Registry) -> None:
    graph_def, result = grafted(registry, lambda: conv_net(12), NET)
    check(graph_def, result, NET, *images((2, 12), (5, 12)))


def test_weights_are_not_in_the_payload(registry: Registry) -> None:
    _, result = grafted(registry, conv_net, NET)
    (engine,) = result.engines
    assert len(engine.attr["payload"].s) < 3 * 3 * 3 * 32 * 4
    assert len(json.loads(engine.attr["metadata"].s)["metadata"]["weights"]) >= 2


def test_several_threads_at_once(registry: Registry) -> None:
    graph_def, result = grafted(registry, conv_net, NET)
    feeds = images((1, 8), (2, 9), (3, 10), (4, 11))
    wanted = [run(graph_def, NET, feed) for feed in feeds]
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(result.graph_def, name="")
    tfgraft.runtime.reset_counters()
    with v1.Session(graph=graph) as session, ThreadPoolExecutor(4) as pool:
        jobs = [(k, pool.submit(session.run, NET, feeds[k])) for k in list(range(4)) * 16]
        for k, job in jobs:
            for got, want in zip(job.result(), wanted[k], strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    counters = tfgraft.runtime.counters()
    assert (counters.calls, counters.fallbacks) == (64, 0)


def test_scalars_and_small_types(registry: Registry) -> None:
    def scalars() -> None:
        a = v1.placeholder(tf.float32, [], "a")
        b = v1.placeholder(tf.int32, [None], "b")
        c = v1.placeholder(tf.bool, [2], "c")
        tf.identity(tf.tanh(a) * 2, name="half")
        tf.identity(tf.where(c, a + 1, a - 1), name="chosen")
        tf.identity(tf.reduce_sum(b * 3), name="total")
        tf.identity(tf.logical_not(c), name="flipped")

    names = ["half:0", "chosen:0", "total:0", "flipped:0"]
    graph_def = build(scalars)
    result = graft(graph_def, names, registry=registry, engine="openvino")
    assert result.engines
    check(
        graph_def,
        result,
        names,
        {"a:0": np.float32(1.5), "b:0": np.arange(5, dtype=np.int32), "c:0": np.array([True, False])},
        {"a:0": np.float32(-3), "b:0": np.array([7], np.int32), "c:0": np.array([False, False])},
    )


def test_results_whose_size_does_not_follow_from_the_inputs(registry: Registry) -> None:
    def pairs() -> None:
        value = v1.placeholder(tf.float32, [None, 4], "x")
        tf.identity(tf.reshape(tf.tanh(value) * 2, [-1, 2]), name="pairs")

    graph_def, result = grafted(registry, pairs, ["pairs:0"])
    check(graph_def, result, ["pairs:0"], *({"x:0": np.full((n, 4), n, np.float32)} for n in (3, 5, 3)))


def test_an_empty_batch_of_empty_results_runs_nothing(registry: Registry) -> None:
    def rows() -> None:
        tf.identity(tf.nn.softmax(tf.tanh(x()) * 2), name="out")

    graph_def, result = grafted(registry, rows, ["out:0"])
    check(graph_def, result, ["out:0"], {"x:0": np.zeros((0, 4), np.float32)}, {"x:0": np.ones((2, 4), np.float32)})


def test_a_sum_over_nothing_is_left_to_tensorflow(registry: Registry) -> None:
    def total() -> None:
        tf.identity(tf.reduce_sum(tf.tanh(x()) * 2), name="out")

    graph_def, result = grafted(registry, total, ["out:0"])
    tfgraft.runtime.reset_counters()
    assert run(result.graph_def, ["out:0"], {"x:0": np.zeros((0, 4), np.float32)}) == [0]
    counters = tfgraft.runtime.counters()
    assert (calls(), counters.fallbacks) == (0, 1) or counters.fallbacks == 1
    check(graph_def, result, ["out:0"], {"x:0": np.ones((2, 4), np.float32)})


def test_float32_is_float32(registry: Registry) -> None:
    """Left alone, OpenVINO computes in bfloat16 on processors that can."""

    def product() -> None:
        value = v1.placeholder(tf.float32, [None, 256], "x")
        weights = tf.constant(RNG.standard_normal((256, 64)).astype(np.float32))
        tf.identity(tf.tanh(tf.matmul(value, weights) * 0.01), name="out")

    graph_def, result = grafted(registry, product, ["out:0"])
    feed = {"x:0": RNG.standard_normal((32, 256)).astype(np.float32)}
    (want,), (got,) = run(graph_def, ["out:0"], feed), run(result.graph_def, ["out:0"], feed)
    assert np.linalg.norm(got - want) / np.linalg.norm(want) < 1e-5


def test_a_compiled_model_is_kept_in_the_cache(registry: Registry, tmp_path: Path) -> None:
    graph_def = build(conv_net)
    model = tmp_path / "model.pb"
    model.write_bytes(graph_def.SerializeToString())
    cache = tmp_path / "cache"
    made = tfgraft.optimize(str(model), outputs=NET, engine="openvino", registry=registry, cache_dir=str(cache))
    assert list(cache.rglob("*.blob"))
    result = Result(None, None, made.report, made.graph_def)  # type: ignore[arg-type]
    check(graph_def, result, NET, *images((1, 8)))


def test_a_saved_model_runs_again(registry: Registry, tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 4])])  # type: ignore[untyped-decorator]
    def model(value: Any) -> Any:
        return tf.nn.softmax(tf.tanh(value) * 2 + 1)

    made = tfgraft.optimize(model, engine="openvino", registry=registry, strict=True)
    made.save(str(tmp_path / "saved"))
    again = tfgraft.load_saved_model(str(tmp_path / "saved"))
    feed = tf.constant(RNG.standard_normal((3, 4)).astype(np.float32))
    (got,) = again.signatures["serving_default"](feed).values()
    np.testing.assert_allclose(got, model(feed), rtol=1e-5)
