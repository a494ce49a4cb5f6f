"""GraphDef -> Graph -> GraphDef is the identity; what is no graph is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import graph_pb2

from tests.graph.models import MODELS, colocated, functional, v1_loop_and_cond
from tfgraft.graph.graphdef import GraphDefError, from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef


def text(message: Any) -> bytes:
    return message.SerializeToString(deterministic=True)


@pytest.mark.parametrize("model", MODELS)
def test_there_and_back_is_the_identity(model: str) -> None:
    graph_def = MODELS[model]()
    given = text(graph_def)
    graph = from_graph_def(graph_def)
    assert text(to_graph_def(graph)) == given
    assert text(graph_def) == given, "loading must not change what was given"


@pytest.mark.parametrize("model", [m for m in MODELS if m != "odd"])
def test_real_graphs_are_sound(model: str) -> None:
    assert from_graph_def(MODELS[model]()).verify() == []


def test_the_library_is_copied_and_the_graph_written_anew() -> None:
    graph_def = functional()
    graph = from_graph_def(graph_def)
    written = to_graph_def(graph)
    written.library.function[0].signature.name = "other"
    written.node[0].name = "other"
    assert text(to_graph_def(graph)) == text(graph_def)


def test_an_empty_library_is_not_an_absent_one() -> None:
    absent, present = graph_pb2.GraphDef(), graph_pb2.GraphDef()
    present.library.SetInParent()
    assert not to_graph_def(from_graph_def(absent)).HasField("library")
    assert to_graph_def(from_graph_def(present)).HasField("library")


def test_a_port_written_out_as_zero_means_the_same() -> None:
    graph_def = graph_pb2.GraphDef()
    graph_def.node.add(name="a", op="A")
    graph_def.node.add(name="b", op="B", input=["a:0"])
    graph = from_graph_def(graph_def)
    assert graph.inputs("b") == (TensorRef("a", 0),)
    assert to_graph_def(graph).node[1].input == ["a"]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("a", []), ("a", [])], "two nodes named 'a'"),
        ([("a", ["b"])], "node 'a' reads 'b:0', which does not exist"),
        ([("a", ["b:2"])], "node 'a' reads 'b:2', which does not exist"),
        ([("a", ["^b"])], "node 'a' waits for 'b', which does not exist"),
        ([("a", ["a:x"])], "'a:x' is not the name of a tensor"),
        ([("a", [""])], "'' is not the name of a tensor"),
    ],
)
def test_what_is_no_graph_is_refused(nodes: list[tuple[str, list[str]]], message: str) -> None:
    graph_def = graph_pb2.GraphDef()
    for name, inputs in nodes:
        graph_def.node.add(name=name, op="Opaque", input=inputs)
    with pytest.raises(ValueError, match=message):
        from_graph_def(graph_def)


def test_refusals_are_of_one_kind() -> None:
    graph_def = graph_pb2.GraphDef()
    graph_def.node.add(name="a", op="Opaque", input=["a:x"])
    with pytest.raises(GraphDefError, match="node 'a'"):
        from_graph_def(graph_def)


def test_a_loop_is_read_with_its_back_edge_and_ordered_without_it() -> None:
    graph = from_graph_def(v1_loop_and_cond())
    order = graph.topological()
    assert len(order) == len(graph)
    place = {name: i for i, name in enumerate(order)}
    backward = [(s, t) for s, t in graph.view.edges() if place[s] > place[t]]
    assert backward
    assert all(graph.node(s).op == "NextIteration" and graph.node(t).op == "Merge" for s, t in backward)


def test_reference_types_and_colocation_are_read() -> None:
    graph = from_graph_def(colocated())
    assert graph.node("w").attrs["_class"] == (b"loc:@v",)
    assert graph.library.opdefs.output_types(graph.node("v")) == ("float32",)


@st.composite
def graph_defs(draw: st.DrawFn) -> Any:
    """Any directed graph, cycles and repeated inputs included."""
    count = draw(st.integers(1, 10))
    names = draw(st.permutations([f"n{i}/x" for i in range(count)]))
    graph_def = graph_pb2.GraphDef()
    for name in names:
        node = graph_def.node.add(name=name, op=draw(st.sampled_from(["Opaque", "NextIteration", "Identity"])))
        for _ in range(draw(st.integers(0, 4))):
            node.input.append(TensorRef(draw(st.sampled_from(names)), draw(st.integers(0, 3))).as_input())
        node.input.extend(f"^{c}" for c in draw(st.lists(st.sampled_from(names), max_size=3)))
        node.device = draw(st.sampled_from(["", "/device:CPU:0"]))
        if draw(st.booleans()):
            node.attr["T"].type = draw(st.integers(1, 23))
            node.attr["dims"].list.i.extend(draw(st.lists(st.integers(-(2**40), 2**40), max_size=3)))
    return graph_def


@settings(max_examples=150, deadline=None)
@given(graph_defs())
def test_there_and_back_is_the_identity_on_any_graph(graph_def: Any) -> None:
    given = text(graph_def)
    graph = from_graph_def(graph_def)
    assert text(to_graph_def(graph)) == given
    for node_def in graph_def.node:
        inputs = graph.inputs(node_def.name)
        assert [r.as_input() for r in inputs] == [i for i in node_def.input if not i.startswith("^")]
        for ref in inputs:
            assert (ref.node, ref.port) in {(ref.node, p) for _, _, p in graph.consumers(ref.node)}
