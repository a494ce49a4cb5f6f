"""Clusters on real graphs: what may share one, what must not, and that the grafted graph computes the same."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
import tensorflow as tf

import tfgraft.runtime
from tests.passes.graft import Result, X, build, calls, chain, check, graft, native, run, v1, x
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.passes.base import PassContext
from tfgraft.passes.form_clusters import FormClusters
from tfgraft.registry.registry import Registry


def test_one_chain_is_one_engine(registry: Registry) -> None:
    graph_def = build(lambda: tf.identity(chain(x(), 6), name="out"))
    result = graft(graph_def, ["out:0"], registry=registry)
    assert len(result.engines) == 1
    assert result.report.coverage > 0.8
    check(graph_def, result, ["out:0"], {"x:0": X}, {"x:0": X[:1]}, {"x:0": X[:0]})
    run(result.graph_def, ["out:0"], {"x:0": X})
    assert calls() >= 1


def test_a_native_op_in_the_middle_makes_two(registry: Registry) -> None:
    def model() -> None:
        a = chain(x(), 4, "a")
        b = chain(native(a, "middle") + a, 4, "b")
        tf.identity(b, name="out")

    graph_def = build(model)
    result = graft(graph_def, ["out:0"], registry=registry)
    assert len(result.engines) == 2
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_fetches_in_the_middle_of_a_cluster_keep_their_names(registry: Registry) -> None:
    graph_def = build(lambda: tf.identity(chain(x(), 6), name="out"))
    fetches = ["op_3:0", "out:0", "op_0:0"]
    result = graft(graph_def, fetches, registry=registry)
    assert len(result.engines) == 1
    check(graph_def, result, fetches, {"x:0": X})


def test_a_second_output_inside_a_cluster_can_be_fetched(registry: Registry) -> None:
    def model() -> None:
        a, b, c = tf.split(tf.tanh(x(None, 6)), 3, axis=1, name="parts")
        tf.nn.relu(a + c, name="out")
        tf.sin(b)

    graph_def = build(model)
    for fetches in (["parts:1", "out:0"], ["parts:2"], ["parts:0", "parts:2"]):
        result = graft(graph_def, fetches, registry=registry)
        assert len(result.engines) == 1, result.report
        (kept,) = [n for n in result.graph_def.node if n.name == "parts"]
        assert kept.op in ("Identity", "IdentityN")
        check(graph_def, result, fetches, {"x:0": np.ones([2, 6], np.float32)})


def test_a_feed_in_the_middle_is_not_computed_over(registry: Registry) -> None:
    graph_def = build(lambda: tf.identity(chain(x(), 6), name="out"))
    result = graft(graph_def, ["out:0"], feeds=["x", "op_2"], registry=registry)
    assert len(result.engines) == 2
    fed = {"x:0": X, "op_2:0": np.full([3, 4], 0.25, np.float32)}
    check(graph_def, result, ["out:0"], {"x:0": X}, fed)


@pytest.mark.parametrize("optimizers", [(), ("constfold",), ("constfold", "pruning", "dependency")])
def test_a_fed_constant_is_not_folded(registry: Registry, optimizers: tuple[str, ...]) -> None:
    def model() -> None:
        c = tf.constant([1.0, 2.0, 3.0, 4.0], name="c")
        tf.identity(chain(tf.tanh(c) * x(), 2), name="out")

    graph_def = build(model)
    result = graft(graph_def, ["out:0"], feeds=["x", "c"], registry=registry, grappler=optimizers)
    check(graph_def, result, ["out:0"], {"x:0": X}, {"x:0": X, "c:0": np.array([4, 3, 2, 1], np.float32)})


def test_a_kept_node_inside_a_cluster_still_can_be_run(registry: Registry) -> None:
    graph_def = build(lambda: tf.identity(chain(x(), 4), name="out"))
    result = graft(graph_def, ["out:0"], keep=["op_1"], registry=registry)
    (kept,) = [n for n in result.graph_def.node if n.name == "op_1"]
    assert kept.op == "NoOp"
    assert list(kept.input) == [f"^{result.engines[0].name}"]
    run(result.graph_def, [], {"x:0": X}, targets=["op_1"])


def test_control_edges_into_and_out_of_a_cluster_are_kept(registry: Registry) -> None:
    def model() -> None:
        a = x()
        small = tf.debugging.assert_less(tf.reduce_max(a), 10.0, message="too large", name="small")
        with tf.control_dependencies([small]):
            b = tf.tanh(a, name="b")
        c = chain(b, 3)
        with tf.control_dependencies([c]):
            after = native(a, "after")
        tf.identity(after, name="out")
        tf.identity(c, name="c")

    graph_def = build(model, control_flow_v1=True)
    result = graft(graph_def, ["out:0", "c:0"], registry=registry)
    assert result.engines
    assert any(i.startswith("^") for engine in result.engines for i in engine.input)
    check(graph_def, result, ["out:0", "c:0"], {"x:0": X})
    with pytest.raises(tf.errors.InvalidArgumentError, match="too large"):
        run(result.graph_def, ["c:0"], {"x:0": X * 100})


def test_what_only_a_control_edge_needs_is_not_lost(registry: Registry) -> None:
    """`c` is read by nobody, but `out` must wait for it."""

    def model() -> None:
        a = x()
        c = chain(a, 3)
        with tf.control_dependencies([c]):
            tf.strings.as_string(a, name="out")

    graph_def = build(model)
    result = graft(graph_def, ["out:0"], registry=registry)
    (out,) = [n for n in result.graph_def.node if n.name == "out"]
    assert [i for i in out.input if i.startswith("^")], "the control edge is gone"
    names = {n.name for n in result.graph_def.node}
    assert {i.lstrip("^").partition(":")[0] for i in out.input} <= names
    np.testing.assert_array_equal(*[run(g, ["out:0"], {"x:0": X})[0] for g in (graph_def, result.graph_def)])


def _placed(first: str, second: str) -> Any:
    def model() -> None:
        with tf.device(first):
            y = chain(x(), 3, "b")
        with tf.device(second):
            y = chain(y, 3, "c")
        tf.identity(y, name="out")

    return build(model)


def test_the_cpu_is_no_other_device_than_none(registry: Registry) -> None:
    graph_def = _placed("/device:CPU:0", "")
    result = graft(graph_def, ["out:0"], registry=registry, grappler=())
    assert [e.device for e in result.engines] == ["/device:CPU:0"], "this engine runs on the CPU, whatever else"
    check(graph_def, result, ["out:0"], {"x:0": X})


@pytest.mark.parametrize(
    ("first", "second", "clusters"),
    [
        ("/device:CPU:0", "/device:GPU:0", 2),
        ("", "/device:GPU:0", 2),
        ("/gpu:0", "/device:GPU:0", 1),
        ("/cpu:0", "/device:CPU:0", 1),
        ("/job:worker/task:1/cpu:0", "/job:worker/task:1/device:CPU:0", 1),
        ("/job:worker/task:1/cpu:0", "/job:worker/task:2/cpu:0", 2),
    ],
)
def test_devices_do_not_mix(first: str, second: str, clusters: int) -> None:
    report = tfgraft.plan(_placed(first, second), outputs=["out:0"], engine="onnxruntime")
    assert len(report.clusters) == clusters, str(report)


def test_colocation_with_nodes_that_went_into_an_engine(registry: Registry) -> None:
    def model() -> None:
        b = chain(x(), 3, "b")
        with v1.colocate_with(b.op):
            c = native(b, "native")
        with v1.colocate_with(c.op):
            tf.identity(chain(c, 2, "c"), name="out")

    graph_def = build(model)
    assert any("_class" in n.attr for n in graph_def.node)
    result = graft(graph_def, ["out:0"], registry=registry)
    assert len(result.engines) >= 1
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_large_and_small_and_splat_constants(registry: Registry) -> None:
    def model() -> None:
        a = x()
        a = a @ np.eye(4, dtype=np.float32) + np.arange(4, dtype=np.float32)
        a = tf.concat([a] * 100, 1) * tf.constant(np.arange(400, dtype=np.float32)) + tf.fill([400], 2.0)
        tf.tanh(a, name="out")

    graph_def = build(model)
    result = graft(graph_def, ["out:0"], registry=registry)
    (cluster,) = result.report.clusters
    assert len(cluster.weights) == 2, "constants of 400 values, one of them stored as one value"
    assert result.report.clusters[0].payload_bytes < 3000
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_the_result_is_the_same_each_time(registry: Registry) -> None:
    def model() -> None:
        a = x()
        parts = [chain(native(a, f"n{i}") if i % 2 else a, 3, f"p{i}") for i in range(4)]
        tf.add_n(parts, name="out")

    graph_def = build(model)
    one, two = (graft(graph_def, ["out:0"], registry=registry) for _ in range(2))
    assert one.report.clusters == two.report.clusters
    assert one.graph_def.SerializeToString(deterministic=True) == two.graph_def.SerializeToString(deterministic=True)


def test_grafting_a_grafted_graph_changes_nothing_more(registry: Registry) -> None:
    graph_def = build(lambda: tf.identity(chain(x(), 4), name="out"))
    once = graft(graph_def, ["out:0"], registry=registry, denylist=("op_1",))
    assert len(once.engines) == 2
    again = graft(once.graph_def, ["out:0"], registry=registry, denylist=("op_1",))
    assert again.report.clusters == (), "segments are for falling back to: no engine belongs in them"
    assert len(again.graph_def.library.function) == len(once.graph_def.library.function)
    more = graft(once.graph_def, ["out:0"], registry=registry)
    assert len(more.engines) == 3
    check(graph_def, more, ["out:0"], {"x:0": X})


# Sizes and choices


def pieces() -> None:
    """Clusters of 2, 4 and 6 ops, apart."""
    a = x()
    for i, size in enumerate((1, 2, 4)):
        a = chain(native(a, f"n{i}"), size, f"p{i}")
    tf.identity(a, name="out")


def sizes(result: Result) -> list[int]:
    return sorted(c.size for c in result.report.clusters)


def test_minimum_segment_size(registry: Registry) -> None:
    graph_def = build(pieces)
    assert sizes(graft(graph_def, ["out:0"], registry=registry)) == [1, 3, 6]
    result = graft(graph_def, ["out:0"], registry=registry, minimum_segment_size=3)
    assert sizes(result) == [3, 6]
    small = result.report.explain("p0_0").node
    assert small.fate == "left out"
    assert small.reason == "Its cluster would have 1 ops; minimum_segment_size is 3."
    none = graft(graph_def, ["out:0"], registry=registry, minimum_segment_size=100)
    assert none.engines == []


def test_maximum_segment_size(registry: Registry) -> None:
    graph_def = build(pieces)
    result = graft(graph_def, ["out:0"], registry=registry, maximum_segment_size=2)
    assert max(sizes(result)) == 2
    assert sum(sizes(result)) == 10
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_maximum_engines_keeps_the_largest(registry: Registry) -> None:
    graph_def = build(pieces)
    result = graft(graph_def, ["out:0"], registry=registry, maximum_engines=1)
    assert sizes(result) == [6]
    assert "maximum_engines=1" in result.report.explain("p1_0").node.reason
    assert graft(graph_def, ["out:0"], registry=registry, maximum_engines=0).engines == []
    check(graph_def, result, ["out:0"], {"x:0": X})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minimum_segment_size": 0}, "minimum_segment_size must be at least 1, not 0"),
        ({"maximum_segment_size": 0}, "maximum_segment_size must be at least 1, not 0"),
        ({"maximum_engines": -1}, "maximum_engines must be at least 0, not -1"),
        ({"minimum_segment_size": 5, "maximum_segment_size": 4}, "maximum_segment_size is 4, less than"),
    ],
)
def test_sizes_that_cannot_be_are_refused(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FormClusters(**options)


@pytest.mark.parametrize(("entry", "denied"), [("Tanh", 3), ("op_2", 1), ("op_[13]", 2), ("op_*", 6)])
def test_the_denylist_takes_ops_names_and_patterns(registry: Registry, entry: str, denied: int) -> None:
    graph_def = build(lambda: tf.identity(chain(x(), 6), name="out"))
    result = graft(graph_def, ["out:0"], registry=registry, denylist=(entry,))
    names = [n.name for n in result.report.nodes if n.code == "denylist"]
    assert len(names) == denied
    assert all(repr(entry) in result.report.explain(name).node.reason for name in names)
    assert set(names) <= {n.name for n in result.graph_def.node}
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_a_denylist_entry_that_names_nothing_is_told(registry: Registry) -> None:
    graph_def = build(lambda: tf.identity(chain(x(), 2), name="out"))
    result = graft(graph_def, ["out:0"], registry=registry, denylist=("Tanhh", "Tanh"))
    (told,) = [d for d in result.ctx.diagnostics if d.code == "denylist"]
    assert "'Tanhh' matches no operation" in told.message


def test_clusters_of_a_real_graph_contract_to_an_acyclic_graph(registry: Registry) -> None:
    def model() -> None:
        a = x()
        values = [a]
        rng = np.random.default_rng(0)
        for i in range(40):
            one, two = (values[j] for j in rng.integers(max(0, len(values) - 6), len(values), 2))
            value = tf.tanh(one, name=f"t{i}") if i % 5 else native(one, f"n{i}")
            values.append(tf.maximum(value, two, name=f"m{i}"))
        tf.add_n(values[-6:], name="out")

    graph_def = build(model)
    result = graft(graph_def, ["out:0"], registry=registry)
    assert len(result.engines) >= 2
    assert nx.is_directed_acyclic_graph(from_graph_def(result.graph_def).view)
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_without_candidates_nothing_happens() -> None:
    graph_def = build(lambda: tf.identity(chain(x(), 2), name="out"))
    graph = from_graph_def(graph_def)
    ctx = PassContext(Registry())
    assert FormClusters().run(graph, ctx).summary == "0 clusters, 0 nodes"
    assert ctx.results["clusters"] == []


def test_a_convolution_of_unknown_channels_falls_back_for_groups() -> None:
    kernel = np.random.default_rng(0).standard_normal((3, 3, 2, 4), np.float32)

    def model() -> None:
        image = v1.placeholder(tf.float32, [None, None, None, None], "x")
        tf.nn.relu(tf.nn.conv2d(image, kernel, 1, "SAME"), name="out")

    graph_def = build(model)
    result = graft(graph_def, ["out:0"])
    assert len(result.engines) == 1
    check(graph_def, result, ["out:0"], {"x:0": np.ones((1, 5, 6, 2), np.float32)})
    grouped = {"x:0": np.random.default_rng(1).standard_normal((1, 5, 6, 4), np.float32)}
    np.testing.assert_allclose(
        run(result.graph_def, ["out:0"], grouped)[0], run(graph_def, ["out:0"], grouped)[0], rtol=1e-5, atol=1e-5
    )
    assert tfgraft.runtime.counters().fallbacks == 1
