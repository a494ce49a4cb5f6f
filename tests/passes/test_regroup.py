"""regroup: clusters after a pass has put nodes into them."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.passes.graft import build, chain, native, x
from tests.passes.half import FORMING
from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import TENSORS, tensor_info
from tfgraft.passes.base import PassContext
from tfgraft.passes.default import default_pipeline
from tfgraft.passes.form_clusters import CLUSTER
from tfgraft.passes.regroup import regroup
from tfgraft.passes.tag_support import TagSupport
from tfgraft.registry.registry import Registry


def model() -> None:
    """Two clusters, `a` and `b`, with a native node in between; the second reads the first directly, too."""
    value = chain(x(), 3, "a")
    tf.add(chain(native(value, "n"), 3, "b"), value, name="out")


@pytest.fixture
def clustered(registry: Registry) -> tuple[Graph, PassContext]:
    graph = from_graph_def(build(model), feeds=[TensorRef("x")], fetches=[TensorRef("out")])
    ctx = PassContext(registry)
    default_pipeline(minimum_segment_size=1, cut_light=False, build=False).run(graph, ctx)
    assert [c.id for c in ctx.results["clusters"]] == ["engine_0", "engine_1"]
    return graph, ctx


def insert(graph: Graph, name: str, source: str, readers: dict[str, int], op: str = "Abs") -> None:
    """Put a node between a tensor and some of what reads it."""
    with graph.edit() as edit:
        edit.add(Node(name, op, attrs=Attrs({"T": DType("float32")})), [TensorRef(source)])
        for reader, slot in readers.items():
            edit.set_input(reader, slot, TensorRef(name))
    graph.facts.set(TENSORS, name, (tensor_info(graph, TensorRef(source)),))


def members(ctx: PassContext) -> list[set[str]]:
    return [{n for n in cluster.nodes if "/" not in n} for cluster in ctx.results["clusters"]]


def again(graph: Graph, ctx: PassContext, **options: Any) -> list[set[str]]:
    regroup(graph, ctx, TagSupport(**options), FORMING)
    return members(ctx)


def test_a_new_node_is_in_the_cluster_of_its_readers(clustered: tuple[Graph, PassContext]) -> None:
    graph, ctx = clustered
    first, second = members(ctx)
    insert(graph, "new", "a_2", {"out": 1})
    assert again(graph, ctx) == [first, second | {"new"}]
    assert graph.facts.get(CLUSTER, "new") == "engine_1"
    assert [str(ref) for ref in ctx.results["clusters"][1].inputs] == ["a_2:0", "n:0"]


def test_a_new_node_with_readers_in_several_places_is_in_the_cluster_of_what_it_reads(
    clustered: tuple[Graph, PassContext],
) -> None:
    graph, ctx = clustered
    first, second = members(ctx)
    insert(graph, "new", "a_2", {"out": 1, "AsString": 0})
    assert again(graph, ctx) == [first | {"new"}, second]


def test_the_pass_has_the_last_word(clustered: tuple[Graph, PassContext]) -> None:
    graph, ctx = clustered
    first, second = members(ctx)
    insert(graph, "new", "a_2", {"out": 1})
    graph.facts.set(CLUSTER, "new", "engine_0")
    assert again(graph, ctx) == [first | {"new"}, second]


def test_a_cluster_is_parted_where_the_engine_does_not_take_a_node(clustered: tuple[Graph, PassContext]) -> None:
    graph, ctx = clustered
    first, second = members(ctx)
    insert(graph, "new", "a_1", {"a_2": 0})
    said = len(ctx.diagnostics)
    assert again(graph, ctx, denylist=("new", "none")) == [first - {"a_2"}, {"a_2"}, second]
    assert [c.id for c in ctx.results["clusters"]] == ["engine_0", "engine_1", "engine_2"]
    assert not graph.facts.get(CLUSTER, "new")
    assert len(ctx.diagnostics) == said


def test_a_cluster_that_is_gone(clustered: tuple[Graph, PassContext]) -> None:
    graph, ctx = clustered
    first, second = members(ctx)
    with graph.edit() as edit:
        for reader, slot, _ in graph.consumers("a_2"):
            edit.set_input(reader, slot, TensorRef("x"))
        for name in first:
            edit.remove(name)
    assert again(graph, ctx) == [second]
    assert [c.id for c in ctx.results["clusters"]] == ["engine_0"]
