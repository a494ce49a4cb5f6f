"""Functions that only clusters call: they are their engines' business."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tests.passes.graft import build
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext
from tfgraft.passes.bodies import taken_bodies
from tfgraft.passes.form_clusters import CLUSTER, note_bodies
from tfgraft.passes.tag_support import TAG, Tag
from tfgraft.plugins.protocol import Cluster
from tfgraft.registry.registry import Registry


def _graphs() -> tuple[dict[str, Graph], dict[str, str]]:
    """Return a graph that calls `inner` and `outer`, which calls `inner` too, and `alone`; and their full names."""

    def model() -> None:
        def concrete(function: Any) -> Any:
            return tf.function(function).get_concrete_function(tf.TensorSpec([2], tf.float32))

        def inner(v: Any) -> Any:
            return tf.tanh(v)

        def outer(v: Any) -> Any:
            return called(v) + 1.0

        def alone(v: Any) -> Any:
            return tf.nn.relu(v)

        called = concrete(inner)
        x = tf.compat.v1.placeholder(tf.float32, [2], "x")
        for name, function in (("a", concrete(outer)), ("b", concrete(alone)), ("c", called)):
            x = tf.raw_ops.PartitionedCall(args=[x], Tout=[tf.float32], f=function, name=name)[0]
        tf.identity(x, name="out")

    graph = from_graph_def(build(model), feeds=[TensorRef("x")], fetches=[TensorRef("out")])
    graphs = {one.name: one for one in PassContext(Registry()).graphs(graph)}
    names = {key: next(n for n in graphs if n.startswith(f"__inference_{key}")) for key in _KEYS}
    return graphs, names


_KEYS = ("inner", "outer", "alone")


def test_a_function_is_taken_if_only_clusters_call_it() -> None:
    graphs, names = _graphs()
    assert taken_bodies(graphs, []) == []
    assert taken_bodies(graphs, [("", ["b"])]) == [[names["alone"]]]
    assert taken_bodies(graphs, [("", ["a"])]) == [[names["outer"]]], "the node c calls the inner one"
    assert taken_bodies(graphs, [("", ["c"])]) == [[]], "the outer one calls the inner one"


def test_what_a_function_calls_is_taken_with_it() -> None:
    graphs, names = _graphs()
    (taken,) = taken_bodies(graphs, [("", ["a", "c"])])
    assert sorted(taken) == sorted([names["inner"], names["outer"]])


def test_a_group_in_a_function_takes_what_it_calls_unless_its_function_is_taken_itself() -> None:
    graphs, names = _graphs()
    calls = [n.name for n in graphs[names["outer"]] if n.op.endswith("PartitionedCall")]
    assert calls
    main: tuple[str, list[str]] = ("", ["c"])
    assert taken_bodies(graphs, [main, (names["outer"], calls)]) == [[names["inner"]], [names["inner"]]]
    assert taken_bodies(graphs, [("", ["a", "c"]), (names["outer"], calls)])[1] == []


def _cluster(*nodes: str) -> Cluster:
    return Cluster("engine_0", "tensorrt", "", nodes, (), (), (), len(nodes))


def _clusters_of(graph: Graph) -> set[Any]:
    return {graph.facts.get(CLUSTER, node.name) for node in graph}


def test_the_nodes_of_a_taken_function_are_noted_and_forgotten() -> None:
    graphs, names = _graphs()
    body = graphs[names["alone"]]
    relu = next(node.name for node in body if node.op == "Relu")
    body.facts.set(TAG, relu, Tag("candidate"))
    note_bodies(graphs, [_cluster("b")])
    assert body.facts.get(CLUSTER, relu) == "engine_0"
    assert _clusters_of(body) == {"engine_0", None}, "the argument is no candidate"
    note_bodies(graphs, [], before=[_cluster("b")])
    assert _clusters_of(body) == {None}
