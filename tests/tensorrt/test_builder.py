"""The engine builder `tensorrt`: real builds on the CPU, by TensorRT-RTX."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.tensorrt.engines import QUICK, built, chain, graph_of, placeholder, weighted
from tfgraft.graph.graph import Graph
from tfgraft.plugins.protocol import BuildError, OptionError, fingerprint
from tfgraft.plugins.tensorrt.flavour import find_flavour
from tfgraft.plugins.tensorrt.log import process_logger
from tfgraft.plugins.tensorrt.plan import culprit
from tfgraft.registry.registry import Registry


def pair() -> None:
    """Two inputs that share their first dimension."""
    x = placeholder(None, 4)
    tf.add(tf.tanh(x), tf.sigmoid(x), name="out")


def image() -> None:
    """An image of unknown batch and size."""
    tf.nn.relu(tf.tanh(placeholder(None, None, None, 3)), name="out")


GRAPHS = {"activations": chain, "weights": weighted, "two uses": pair, "unknown size": image}


@pytest.mark.parametrize("capability", ["8.6", "8.9"])
@pytest.mark.parametrize("route", ["native", "onnx"])
@pytest.mark.parametrize("name", GRAPHS)
def test_builds_for_a_gpu_without_one(name: str, route: str, capability: str, everything: Registry) -> None:
    graph = graph_of(GRAPHS[name])
    engine = built(graph, everything, compute_capabilities=capability, route=route)
    assert len(engine.payload) > 1000
    assert engine.metadata["flavour"] == "tensorrt_rtx"
    assert engine.metadata["version"] == find_flavour("tensorrt_rtx")[1].__version__
    assert engine.metadata["compute_capabilities"] == [capability]
    assert engine.metadata["route"] == route
    assert engine.statistics["layers"] >= 2
    assert engine.statistics["seconds"] >= engine.statistics["build_seconds"] > 0
    assert [i.dtype for i in (*engine.inputs, *engine.outputs)] == ["float32", "float32"]


def test_targets_make_different_engines(everything: Registry) -> None:
    graph = graph_of(chain)
    payloads = {
        targets: built(graph, everything, compute_capabilities=targets).payload
        for targets in (("8.6",), ("8.9",), ("8.6", "8.9"))
    }
    assert len(set(payloads.values())) == 3
    assert len(payloads["8.6", "8.9"]) > len(payloads["8.6",])


def test_a_build_gives_the_same_engine_again(everything: Registry) -> None:
    first, second = (built(graph_of(weighted), everything) for _ in range(2))
    assert first.payload == second.payload
    assert fingerprint(first, []) == fingerprint(second, [])
    other = built(graph_of(weighted), everything, batch=(1, 2, 3))
    assert fingerprint(other, []) != fingerprint(first, [])


def test_weights_are_inside(everything: Registry) -> None:
    engine = built(graph_of(weighted), everything)
    assert [str(w) for w in engine.weights] == ["float32[16, 16]"]
    weight = np.random.default_rng(0).standard_normal((16, 16), np.float32)
    assert weight.tobytes() in engine.payload or weight.T.copy().tobytes() in engine.payload


# Profiles --------------------------------------------------------------------------------------------------------


def profiles(graph: Graph, registry: Registry, **options: Any) -> list[Any]:
    return list(built(graph, registry, **options).metadata["profiles"])


def test_unknown_dimensions_have_a_range_by_default(everything: Registry) -> None:
    (only,) = profiles(graph_of(image), everything)
    assert only == [[[1, 1, 1, 3], [8, 128, 128, 3], [64, 1024, 1024, 3]]]
    (only,) = profiles(graph_of(image), everything, batch=(2, 2, 4), unknown=(8, 16, 32))
    assert only == [[[2, 8, 8, 3], [2, 16, 16, 3], [4, 32, 32, 3]]]


def test_several_profiles(everything: Registry) -> None:
    given: list[dict[Any, Any]] = [
        {"x": ((1, 4), (1, 4), (1, 4))},
        {"x:0": ((2, 4), (16, 4), (32, 4))},
        {0: ((64, 4), (64, 4), (64, 4))},
    ]
    found = profiles(graph_of(chain), everything, profiles=given)
    assert [p[0] for p in found] == [[list(d) for d in next(iter(g.values()))] for g in given]


def test_observed_shapes_make_a_profile(everything: Registry) -> None:
    seen = [{"x": (n, 4)} for n in (3, 8, 8, 1, 5)]
    assert profiles(graph_of(chain), everything, observed=seen) == [[[[1, 4], [8, 4], [8, 4]]]]


def middle() -> None:
    """An engine in the middle of a graph: it reads two computed tensors whose first dimension is that of x."""
    x = placeholder(None, 4)
    tf.add(tf.strings.to_number(tf.strings.as_string(x), name="read"), x, name="out")


def test_the_graphs_inputs_say_enough_for_engines_in_the_middle(everything: Registry) -> None:
    from tests.tensorrt.run import whole
    from tfgraft.graph.ref import TensorRef
    from tfgraft.plugins.protocol import BuildContext, Cluster
    from tfgraft.plugins.tensorrt.builder import TensorRtBuilder

    graph = graph_of(middle)
    assert "read" in whole(graph).nodes
    cluster = Cluster(
        "engine_0", "tensorrt", "", ("out",), (TensorRef("read"),  TensorRef("x")), (), (TensorRef("out"),), 1
    )  # fmt: skip
    options = {**QUICK, "profiles": {"x": ((2, 4), (3, 4), (5, 4))}}
    engine = TensorRtBuilder().build(cluster, BuildContext(graph, everything, options))
    assert engine.metadata["profiles"] == [[[[2, 4], [3, 4], [5, 4]]] * 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profiles": {"y": ((1, 4), (1, 4), (1, 4))}}, "names 'y', and the graph has no such tensor"),
        ({"profiles": {"x": ((1,), (1,), (1,))}}, "gives 'x' the rank 1, and it is float32[?, 4]"),
        ({"profiles": {"x": ((1, 5), (1, 5), (1, 5))}}, "the sizes (5, 5, 5) where float32[?, 4] has 4"),
        ({"observed": [{"x": (1, 4)}, {"x": (4,)}]}, "gives 'x' shapes of different ranks"),
        ({"values": {"x": ((1, 2), (1, 2), (1, 2))}}, "to an input that is float32[?, 4]"),
        ({"compute_capabilities": "9.0"}, "compute_capabilities has '9.0'; tensorrt_rtx"),
    ],
)
def test_options_that_do_not_fit_the_graph(options: dict[str, Any], message: str, everything: Registry) -> None:
    with pytest.raises(OptionError) as caught:
        built(graph_of(chain), everything, **options)
    assert message in str(caught.value)


def shaped() -> None:
    """A reshape to a shape that is fed."""
    tf.tanh(tf.reshape(placeholder(None, 4), placeholder(2, name="shape", dtype=tf.int32)), name="out")


def test_values_of_inputs_that_give_shapes(everything: Registry) -> None:
    graph = graph_of(shaped, ("x", "shape"))
    given = {"profiles": {"x": ((1, 4), (2, 4), (8, 4))}, "route": "onnx"}
    engine = built(graph, everything, values={"shape": ((1, 4), (2, 4), (8, 4))}, **given)
    assert len(engine.payload) > 1000
    with pytest.raises(BuildError, match="reshaping failed") as caught:
        built(graph, everything, values={"shape": ((1, 4), (3, 4), (8, 4))}, **given)
    assert caught.value.code == "engine-rejected"


# What TensorRT refuses -------------------------------------------------------------------------------------------


def test_a_layer_that_tensorrt_cannot_build_names_the_node(everything: Registry) -> None:
    registry = everything.copy()

    @registry.converter("Tanh", engine="tensorrt")
    def impossible(ctx: Any, view: Any) -> None:
        flags = ctx.add("unary", ctx.cast(ctx.get(view, 0), "bool"), ctx.trt.UnaryOperation.NOT)
        where = ctx.add("non_zero", flags, ctx.trt.DataType.INT64)
        total = ctx.add("reduce", ctx.cast(where, "float32"), ctx.trt.ReduceOperation.SUM, 3, True)
        ctx.set(view, 0, ctx.add("elementwise", ctx.get(view, 0), total, ctx.trt.ElementWiseOperation.SUM))

    def model() -> None:
        tf.nn.relu(tf.tanh(tf.sigmoid(tf.tanh(placeholder(None, 4), name="a")), name="b"), name="out")

    with pytest.raises(BuildError) as caught:
        built(graph_of(model), registry)
    assert caught.value.code == "engine-rejected"
    assert {caught.value.node, *caught.value.others} == {"a", "b"}, "TensorRT has no such layer, for none of them"
    assert f"{caught.value.node}/non_zero has no runners" in str(caught.value)


def test_the_culprit_is_the_longest_name_that_is_there() -> None:
    origins = {"a/relu": "a", "a/relu_2": "b", "relu": "c"}
    assert culprit("Error in a/relu_2: no", origins) == "b"
    assert culprit("Error in [a/relu]: no", origins) == "a"
    assert culprit("Error in a/relu_32: no", origins) == "a", "one of several layers of an ONNX node"
    assert culprit("Error in a/relu_x: no", origins) is None
    assert culprit("Error in x/relu: no", origins) is None
    assert culprit("nothing", origins) is None


def double() -> None:
    """Two nodes with a type that TensorRT does not have."""
    x = tf.tanh(placeholder(4, 4), name="good")
    tf.add(x, tf.cast(tf.cast(x, tf.float64, name="wide"), tf.float32, name="narrow"), name="out")


def unique() -> None:
    """Two nodes that TensorRT's ONNX parser does not take."""
    x = tf.reshape(tf.tanh(placeholder(4, 4), name="good"), [16])
    a, _ = tf.raw_ops.Unique(x=x, name="first")
    b, _ = tf.raw_ops.Unique(x=x + 1, name="second")
    tf.add(tf.reduce_sum(a), tf.reduce_sum(b), name="out")


@pytest.mark.parametrize(
    ("model", "culprits", "code", "reason"),
    [
        (double, {"wide", "narrow"}, "dtype", "TensorRT has no type float64"),
        (unique, {"first", "second"}, "engine-rejected", "TensorRT's ONNX parser refuses Unique: unsupported node"),
    ],
)
def test_the_onnx_route_names_every_node_that_is_refused(
    model: Any, culprits: set[str], code: str, reason: str, everything: Registry
) -> None:
    with pytest.raises(BuildError) as caught:
        built(graph_of(model), everything, route="onnx")
    assert caught.value.code == code
    assert {caught.value.node, *caught.value.others} == culprits
    assert all(reason in text for text in (str(caught.value), *caught.value.others.values()))


def test_unknown_ranks_are_refused(everything: Registry) -> None:
    def model() -> None:
        tf.tanh(tf.compat.v1.placeholder(tf.float32, None, "x"), name="out")

    for route in ("native", "onnx"):
        with pytest.raises(BuildError, match="rank of"):
            built(graph_of(model), everything, route=route)


# Around the build ------------------------------------------------------------------------------------------------


def test_timing_cache_file(everything: Registry, tmp_path: Path) -> None:
    file = tmp_path / "folder" / "cache"
    for content in (None, b"damaged"):
        if content is not None:
            file.write_bytes(content)
        built(graph_of(chain), everything, timing_cache=str(file))
        assert file.stat().st_size > len(content or b"")
        assert file.read_bytes() != content
        assert list(file.parent.iterdir()) == [file], "nothing is left beside it"


def test_threads_build_at_once(everything: Registry) -> None:
    graphs = [graph_of(GRAPHS[name]) for name in ("activations", "weights", "two uses")]
    alone = [built(graph, everything).payload for graph in graphs]
    results: dict[int, Any] = {}

    def work(i: int) -> None:
        try:
            results[i] = built(graphs[i % 3], everything).payload
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[i] for i in range(6)] == alone * 2


def test_the_logs_of_two_threads_stay_apart() -> None:
    _, trt = find_flavour("tensorrt_rtx")
    logger = process_logger(trt)
    logger.take()
    said: list[str] = []

    def fail() -> None:
        logger.take()
        logger.log(trt.ILogger.ERROR, "mine")
        said.append(logger.take())

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert said == ["mine"]
    assert logger.take() == ""
