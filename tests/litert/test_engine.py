"""The engine litert in TensorFlow: shapes and types as users have them, threads, weights, what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.openvino.nets import NET, conv_net, images
from tests.passes.graft import build, check, graft, run, x
from tfgraft.graph.graphdef import to_graph_def
from tfgraft.job import Job
from tfgraft.load import load
from tfgraft.plugins.litert import interpreters
from tfgraft.registry.entry import ANY, Converter
from tfgraft.registry.registry import Registry

v1 = tf.compat.v1
RNG = np.random.default_rng(0)
ROOT = np.float32(0.5**0.5)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.default()


def grafted(registry: Registry, function: Callable[[], Any], fetches: Sequence[str], **options: Any) -> Any:
    """Return the GraphDef of what `function` builds, and what became of it with one engine for all of it."""
    graph_def = build(function)
    result = graft(graph_def, fetches, registry=registry, engine="litert", **options)
    assert len(result.engines) == 1, str(result.report)
    return graph_def, result


def test_any_batch_and_any_size_of_image(registry: Registry) -> None:
    graph_def, result = grafted(registry, conv_net, NET)
    check(graph_def, result, NET, *images((1, 8), (3, 8), (3, 17), (1, 8)))


def test_static_shapes(registry: Registry) -> None:
    graph_def, result = grafted(registry, lambda: conv_net(12), NET)
    check(graph_def, result, NET, *images((2, 12), (5, 12)))


def test_weights_are_not_in_the_payload(registry: Registry) -> None:
    def dense() -> None:
        weights = RNG.standard_normal((4, 1000)).astype(np.float32)
        back = RNG.standard_normal((1000, 300)).astype(np.float32)
        tf.identity(tf.nn.softmax(tf.matmul(tf.nn.relu(tf.matmul(x(), weights)), back)), name="out")

    graph_def, result = grafted(registry, dense, ["out:0"])
    (engine,) = result.engines
    assert len(engine.attr["payload"].s) < 10_000
    check(graph_def, result, ["out:0"], {"x:0": RNG.standard_normal((3, 4)).astype(np.float32)})


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


def test_more_shapes_than_interpreters(registry: Registry) -> None:
    graph_def = build(conv_net)
    made = tfgraft.optimize(
        graph_def,
        outputs=NET,
        engine="litert",
        registry=registry,
        maximum_interpreters=2,
        minimum_segment_size=1,
        strict=True,
    )
    for feed in images((1, 8), (1, 9), (1, 10), (1, 11), (1, 8)):
        for got, want in zip(run(made.graph_def, NET, feed), run(graph_def, NET, feed), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


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
    result = graft(graph_def, names, registry=registry, engine="litert")
    assert result.engines
    check(
        graph_def,
        result,
        names,
        {"a:0": np.float32(1.5), "b:0": np.arange(5, dtype=np.int32), "c:0": np.array([True, False])},
        {"a:0": np.float32(-3), "b:0": np.array([7], np.int32), "c:0": np.array([False, False])},
    )


def test_large_int64_are_kept(registry: Registry) -> None:
    def wide() -> None:
        value = v1.placeholder(tf.int64, [None, 3], "x")
        tf.identity(tf.reverse(value + 1, [1]), name="out")

    graph_def, result = grafted(registry, wide, ["out:0"])
    check(graph_def, result, ["out:0"], {"x:0": np.array([[2**40, -(2**50), 7]])})


def test_an_empty_batch_of_empty_results_runs_nothing(registry: Registry) -> None:
    def rows() -> None:
        tf.identity(tf.nn.softmax(tf.tanh(x()) * 2), name="out")

    graph_def, result = grafted(registry, rows, ["out:0"])
    check(graph_def, result, ["out:0"], {"x:0": np.zeros((0, 4), np.float32)}, {"x:0": np.ones((2, 4), np.float32)})


def test_all_that_the_converter_names_is_refused_at_once(registry: Registry) -> None:
    again = registry.copy()
    again.add(Converter(ANY, "litert", lambda context, view: None))

    def odd() -> None:
        y = tf.tanh(x()) * 0.1
        y = tf.math.erfinv(y, name="odd_one") + 1
        y = tf.math.ndtri(tf.sigmoid(y), name="odd_two") * 2
        tf.identity(tf.nn.relu(y), name="out")

    graph_def = build(odd)
    result = graft(graph_def, ["out:0"], registry=again, engine="litert")
    refused = {n.name: n for n in result.report.nodes if n.fate == "native" and n.code == "engine-rejected"}
    assert {name.split("/")[0] for name in refused} == {"odd_one", "odd_two"}
    assert all("is neither a custom op nor a flex op" in node.reason for node in refused.values())
    check(graph_def, result, ["out:0"], {"x:0": RNG.standard_normal((3, 4)).astype(np.float32)})


def test_a_saved_model_runs_again(registry: Registry, tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 4])])  # type: ignore[untyped-decorator]
    def model(value: Any) -> Any:
        return tf.nn.softmax(tf.tanh(value) * 2 + 1)

    made = tfgraft.optimize(model, engine="litert", registry=registry, strict=True)
    made.save(str(tmp_path / "saved"))
    again = tfgraft.load_saved_model(str(tmp_path / "saved"))
    feed = tf.constant(RNG.standard_normal((3, 4)).astype(np.float32))
    (got,) = again.signatures["serving_default"](feed).values()
    np.testing.assert_allclose(got, model(feed), rtol=1e-5)


def test_a_predictor_gets_arrays_of_its_own() -> None:
    weights = RNG.standard_normal((4, 6)).astype(np.float32)

    def dense() -> None:
        tf.identity(tf.nn.relu(tf.matmul(v1.placeholder(tf.float32, [None, 4], "x"), weights)), name="out")

    pipeline = tfgraft.default_pipeline(minimum_segment_size=1, cut_light=False)
    grafted = tfgraft.optimize(build(dense), outputs=["out"], engine="litert", pipeline=pipeline, strict=True)
    predict = grafted.predictor()
    assert predict.is_direct
    arrays = [RNG.standard_normal((rows, 4)).astype(np.float32) for rows in (3, 3, 5, 3, 0)]
    results = [predict(array)[0] for array in arrays]
    for array, result in zip(arrays, results, strict=True):
        assert (result.shape, result.dtype) == ((len(array), 6), np.float32)
        np.testing.assert_allclose(result, np.maximum(array @ weights, 0), rtol=1e-5, atol=1e-5)


def test_threads_of_a_predictor_leave_no_more_interpreters_than_are_kept(registry: Registry) -> None:
    made = tfgraft.optimize(build(conv_net), outputs=NET, engine="litert", registry=registry, maximum_interpreters=2)
    predict = made.predictor()
    assert predict.is_direct
    (feed,) = images((1, 8))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: predict(*feed.values()), range(400)))
    assert 1 <= len(predict._engine.call.__self__._alone.idle) <= 2  # type: ignore[union-attr]


@pytest.mark.parametrize("first", ["litert", "onnxruntime"])
@pytest.mark.parametrize(
    "half", [lambda y: tf.math.erfc(-y * ROOT), lambda y: 1.0 + tf.math.erf(y * ROOT)], ids=["erfc", "erf"]
)
def test_an_exact_gelu_is_taken(half: Callable[[Any], Any], first: str, registry: Registry) -> None:
    weights = RNG.standard_normal((16, 16)).astype(np.float32)

    def gelu() -> None:
        y = tf.matmul(v1.placeholder(tf.float32, [2, 16], "x"), weights)
        tf.identity(tf.matmul(0.5 * y * half(y), weights), name="out")

    graph_def = build(gelu)
    # For the first engine it is decomposed, for all of them.
    pipeline = tfgraft.default_pipeline(minimum_segment_size=1, cut_light=False)
    lowered = Job(load(graph_def, outputs=["out"]), registry, first).run(pipeline.without("replace_clusters"))
    result = tfgraft.optimize(
        to_graph_def(lowered.graph), outputs=["out"], engine="litert", registry=registry, pipeline=pipeline, strict=True
    )
    assert not [node.op for node in result.graph_def.node if node.op in ("Erf", "Erfc", "Mul")]
    feed = {"x:0": RNG.standard_normal((2, 16)).astype(np.float32)}
    (got,), (want,) = run(result.graph_def, ["out:0"], feed), run(graph_def, ["out:0"], feed)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_an_error_function_alone_stays(registry: Registry) -> None:
    def alone() -> None:
        y = tf.nn.relu(v1.placeholder(tf.float32, [2, 16], "x")) * 2.0
        tf.identity(tf.math.erf(y) + tf.math.erfc(y), name="out")

    graph_def = build(alone)
    result = graft(graph_def, ["out:0"], registry=registry, engine="litert")
    assert {"Erf", "Erfc"} <= {node.op for node in result.graph_def.node}
    check(graph_def, result, ["out:0"], {"x:0": RNG.standard_normal((2, 16)).astype(np.float32)})


@pytest.mark.parametrize("quicker", [1, 2])
def test_a_small_model_gets_the_threads_that_it_is_quicker_with(quicker: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    maker = interpreters.maker()
    original = maker.make

    def make(model: bytes, threads: int, *more: Any) -> Any:
        made.append(threads)
        return original(model, threads, *more)

    def small() -> None:
        tf.tanh(tf.nn.relu(v1.placeholder(tf.float32, [2, 4], "x")), name="out")

    monkeypatch.setattr(maker, "make", make)
    monkeypatch.setattr(interpreters, "_SMALL_SECONDS", 1.0)
    monkeypatch.setattr(interpreters, "_TRIALS", 10)
    medians = iter([0.2, 0.1] if quicker == 1 else [0.1, 0.2])
    monkeypatch.setattr("statistics.median", lambda _: next(medians))
    pipeline = tfgraft.default_pipeline(minimum_segment_size=1, cut_light=False)
    grafted = tfgraft.optimize(
        build(small), outputs=["out"], engine="litert", pipeline=pipeline, strict=True, intra_op_threads=2
    )
    predict = grafted.predictor()
    for array in RNG.standard_normal((30, 2, 4)).astype(np.float32):
        np.testing.assert_allclose(predict(array)[0], np.tanh(np.maximum(array, 0)), rtol=1e-5, atol=1e-5)
    assert made == [2], "without TensorFlow they are as they are"
    made.clear()
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(grafted.graph_def, name="")
    engine = predict._engine.call.__self__._within  # type: ignore[union-attr]
    seen = []
    with v1.Session(graph=graph) as session:
        for array in RNG.standard_normal((25, 2, 4)).astype(np.float32):
            (got,) = session.run(["out:0"], {"x:0": array})
            np.testing.assert_allclose(got, np.tanh(np.maximum(array, 0)), rtol=1e-5, atol=1e-5)
            seen.append(engine.idle[-1]._interpreter)
    assert made == [2, 1]
    several, single = seen[0], seen[15]
    assert single is not several
    assert seen[-1] is (single if quicker == 1 else several)
