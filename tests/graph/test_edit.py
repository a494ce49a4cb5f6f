"""Edits: all or nothing, every consumer found, the log tells what happened."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import graph_pb2

from tests.graph.models import colocated
from tests.passes.dags import Dag, dags
from tfgraft.graph.attrs import Attrs
from tfgraft.graph.edit import Change, EditError, GraphEdit
from tfgraft.graph.facts import Fact
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef

Ref = TensorRef


def make(*nodes: tuple[str, list[str]], **ends: Any) -> Graph:
    graph_def = graph_pb2.GraphDef()
    for name, inputs in nodes:
        graph_def.node.add(name=name, op="Opaque", input=inputs)
    return from_graph_def(graph_def, **ends)


@pytest.fixture
def graph() -> Graph:
    """x -> a -> b (reads a twice, port 1 too) -> c; c waits for a."""
    return make(("x", []), ("a", ["x"]), ("b", ["a", "a:1", "a"]), ("c", ["b", "^a"]))


def state(graph: Graph) -> tuple[bytes, Any]:
    return to_graph_def(graph).SerializeToString(deterministic=True), (graph.fetches, graph.feeds, graph.keep)


def test_an_error_in_the_block_leaves_the_graph_as_it_was(graph: Graph) -> None:
    before = state(graph)

    def fail() -> None:
        with graph.edit() as edit:
            edit.add(Node("new", "Opaque"), [Ref("a")])
            edit.rewire(Ref("a"), Ref("new"))
            edit.remove("c")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert state(graph) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.remove("a"), "cannot remove node 'a': node 'b' still reads it"),
        (lambda e: e.add(Node("d", "Opaque"), [Ref("gone")]), "node 'd' would read 'gone', which does not exist"),
        (lambda e: e.add(Node("d", "Opaque"), [], ["gone"]), "node 'd' would read 'gone'"),
        (lambda e: e.add(Node("a", "Opaque")), "cannot add node 'a': the name is taken"),
        (lambda e: (e.add(Node("d", "Opaque")), e.add(Node("d", "Opaque"))), "the name is taken"),
        (lambda e: e.remove("gone"), "there is no node 'gone'"),
        (lambda e: (e.remove("c"), e.remove("c")), "there is no node 'c'"),
        (lambda e: e.replace(Node("gone", "Opaque")), "there is no node 'gone'"),
        (lambda e: e.set_input("b", 3, Ref("x")), "node 'b' has 3 inputs; there is no input 3"),
        (lambda e: e.set_input("b", -1, Ref("x")), "there is no input -1"),
        (lambda e: (e.remove("c"), e.set_input("c", 0, Ref("x"))), "there is no node 'c'"),
        (lambda e: e.rewire(Ref("a"), Ref("gone")), "would read 'gone'"),
        (lambda e: e.rewire(Ref("gone"), Ref("a")), "there is no node 'gone'"),
        (lambda e: e.rewire_control("gone", "a"), "there is no node 'gone'"),
        (lambda e: (e.set_fetches([Ref("c")]), e.remove("c")), "cannot remove node 'c': it is fed, fetched or kept"),
        (lambda e: e.set_fetches([Ref("gone")]), "'gone'"),
    ],
)
def test_an_edit_that_would_break_the_graph_is_refused_whole(graph: Graph, change: Any, message: str) -> None:
    before = state(graph)

    def fail() -> None:
        with graph.edit() as edit:
            edit.add(Node("first", "Opaque"), [Ref("x")])
            change(edit)

    with pytest.raises(EditError, match=message):
        fail()
    assert state(graph) == before
    assert "first" not in graph


@pytest.mark.parametrize("end", [{"feeds": [Ref("c")]}, {"fetches": [Ref("c", 1)]}, {"keep": ["c"]}])
def test_fed_fetched_and_kept_nodes_cannot_go(end: Any) -> None:
    graph = make(("x", []), ("c", ["x"]), **end)
    with pytest.raises(EditError, match="cannot remove node 'c': it is fed, fetched or kept"), graph.edit() as edit:
        edit.remove("c")


def test_fetched_nodes_may_be_put_anew_under_their_name() -> None:
    graph = make(("x", []), ("c", ["x"]), ("d", ["c", "^c"]), fetches=[Ref("c")])
    with graph.edit() as edit:
        edit.remove("c")
        edit.add(Node("new", "Opaque"), [Ref("x")])
        edit.add(Node("c", "Identity"), [Ref("new")])
    assert graph.node("c").op == "Identity"
    assert graph.inputs("c") == (Ref("new"),)
    assert graph.inputs("d") == (Ref("c"),)
    assert graph.control_inputs("d") == ("c",)
    assert graph.verify() == []


def test_every_slot_that_reads_the_tensor_is_rewired_and_no_other(graph: Graph) -> None:
    with graph.edit() as edit:
        edit.rewire(Ref("a"), Ref("x", 2))
    assert graph.inputs("b") == (Ref("x", 2), Ref("a", 1), Ref("x", 2))
    assert graph.control_inputs("c") == ("a",)


def test_a_node_can_be_put_between_a_tensor_and_its_consumers(graph: Graph) -> None:
    with graph.edit() as edit:
        edit.add(Node("cast", "Cast"), [Ref("a")], ["a"])
        edit.rewire(Ref("a"), Ref("cast"))
        edit.rewire_control("a", "cast")
    assert graph.inputs("cast") == (Ref("a"),)
    assert graph.control_inputs("cast") == ("a",)
    assert graph.inputs("b") == (Ref("cast"), Ref("a", 1), Ref("cast"))
    assert graph.control_inputs("c") == ("cast",)
    assert graph.verify() == []


def test_rewiring_sees_what_the_same_edit_did_before(graph: Graph) -> None:
    with graph.edit() as edit:
        edit.add(Node("added", "Opaque"), [Ref("a")], ["b"])
        edit.remove("c")
        edit.add(Node("c", "Other"), [Ref("a")], ["b"])
        edit.set_input("b", 1, Ref("a"))
        edit.add(Node("reader", "Opaque"), [Ref("added")])
        edit.rewire(Ref("added"), Ref("x", 1))
        edit.rewire(Ref("a"), Ref("x"))
        edit.rewire_control("b", "x")
    assert graph.inputs("added") == graph.inputs("c") == (Ref("x"),)
    assert graph.control_inputs("added") == graph.control_inputs("c") == ("x",)
    assert graph.inputs("b") == (Ref("x"),) * 3
    assert graph.inputs("reader") == (Ref("x", 1),)


def test_control_edges_are_kept_apart_from_data_and_once(graph: Graph) -> None:
    with graph.edit() as edit:
        edit.set_inputs("c", [Ref("b")], ["x", "a", "x"])
    assert graph.control_inputs("c") == ("x", "a")
    with graph.edit() as edit:
        edit.rewire_control("a", "x")
    assert graph.control_inputs("c") == ("x",)
    assert graph.inputs("c") == (Ref("b"),)


def test_the_log_tells_what_was_done(graph: Graph) -> None:
    with graph.edit() as edit:
        edit.add(Node("d", "Opaque"), [Ref("c")])
        edit.set_input("c", 0, Ref("x"))
        edit.replace(Node("b", "Other"))
        edit.remove("d")
    assert edit.log == [Change("add", "d"), Change("rewire", "c"), Change("replace", "b"), Change("remove", "d")]
    assert edit.changed


def test_what_changes_nothing_is_no_change(graph: Graph) -> None:
    before = state(graph)
    with graph.edit() as edit:
        edit.replace(graph.node("a"))
        edit.replace(Node("b", "Opaque", attrs=Attrs({})))
        edit.set_input("c", 0, Ref("b"))
        edit.set_inputs("c", [Ref("b")], ["a"])
        edit.rewire(Ref("c"), Ref("x"))
        edit.rewire_control("c", "x")
        edit.set_fetches(())
    assert edit.log == []
    assert not edit.changed
    assert state(graph) == before


def test_replacing_keeps_inputs_consumers_and_place(graph: Graph) -> None:
    with graph.edit() as edit:
        edit.replace(Node("b", "Other", "/device:CPU:0", Attrs({"n": 1})))
    assert [node.name for node in graph] == ["x", "a", "b", "c"]
    assert graph.node("b").attrs["n"] == 1
    assert graph.inputs("b") == (Ref("a"), Ref("a", 1), Ref("a"))


def test_facts_go_with_their_node(graph: Graph) -> None:
    fact: Fact[int] = Fact("n")
    graph.facts.update(fact, {"a": 1, "c": 2})
    with graph.edit() as edit:
        edit.remove("c")
        edit.add(Node("c", "Opaque"), [Ref("b")])
    assert graph.facts.get(fact, "c") is None, "a new node of an old name is another node"
    assert graph.facts.get(fact, "a") == 1


def test_the_view_is_for_reading_only(graph: Graph) -> None:
    with pytest.raises(nx.NetworkXError):
        graph.view.add_edge("a", "c")
    with pytest.raises(nx.NetworkXError):
        graph.view.remove_node("a")
    assert nx.shortest_path(graph.view, "x", "c") == ["x", "a", "c"]


def test_names_that_are_free(graph: Graph) -> None:
    assert graph.unique_name("new") == "new"
    assert graph.unique_name("a") == "a_1"
    with graph.edit() as edit:
        edit.add(Node("a_1", "Opaque"))
    assert graph.unique_name("a") == "a_2"


def test_what_is_wrong_is_said() -> None:
    graph = make(("a", ["b"]), ("b", ["a"]), ("c", []), fetches=[Ref("gone")], feeds=[Ref("lost")], keep=["away"])
    problems = graph.verify()
    assert "there is a cycle through 'a', 'b'" in problems
    assert "fetch 'gone:0': there is no node 'gone'" in problems
    assert "feed 'lost:0': there is no node 'lost'" in problems
    assert "keep: there is no node 'away'" in problems


def test_an_output_that_the_op_does_not_have_is_found() -> None:
    graph_def = graph_pb2.GraphDef()
    graph_def.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    graph_def.node.add(name="y", op="Relu", input=["x:1"]).attr["T"].type = 1
    assert from_graph_def(graph_def).verify() == ["node 'x' (Placeholder) has 1 outputs, but x:1 is read"]


def test_a_fetched_output_that_the_op_does_not_have_is_found() -> None:
    graph_def = graph_pb2.GraphDef()
    graph_def.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    graph = from_graph_def(graph_def, fetches=[Ref("x", 3)])
    assert graph.verify() == ["fetch 'x:3': node 'x' (Placeholder) has 1 outputs"]


def test_a_cycle_made_by_an_edit_is_found_by_verify(graph: Graph) -> None:
    with graph.edit() as edit:
        edit.set_inputs("a", [Ref("c")], [])
    assert graph.verify() == ["there is a cycle through 'a', 'b', 'c'"]


@settings(max_examples=100, deadline=None)
@given(dags(most=12), st.data())
def test_random_edits_keep_the_graph_whole(dag: Dag, data: st.DataObject) -> None:
    graph = dag.graph()
    model = {n.name: (list(graph.inputs(n.name)), list(graph.control_inputs(n.name))) for n in graph}
    for step in range(4):
        before = state(graph)
        attempt = {name: (list(i), list(c)) for name, (i, c) in model.items()}
        try:
            with graph.edit() as edit:
                for i in range(data.draw(st.integers(1, 4))):
                    _random_change(data, edit, attempt, f"new{step}_{i}")
        except EditError:
            assert state(graph) == before
            assert _dangling(attempt)
            continue
        model = attempt
        assert not _dangling(model)
        assert {n.name: (list(graph.inputs(n.name)), list(graph.control_inputs(n.name))) for n in graph} == model
        assert edit.changed == bool(edit.log)
        again = from_graph_def(to_graph_def(graph))
        assert state(again)[0] == state(graph)[0]
        assert set(graph.view.nodes) == set(model)


def _dangling(model: dict[str, tuple[list[Ref], list[str]]]) -> bool:
    return any(r.node not in model for i, _ in model.values() for r in i) or any(
        c not in model for _, cs in model.values() for c in cs
    )


def _random_change(
    data: st.DataObject, edit: GraphEdit, model: dict[str, tuple[list[Ref], list[str]]], free: str
) -> None:
    names = sorted(model)
    kind = data.draw(st.sampled_from(["add", "remove", "readd", "rewire", "control", "input"]))
    if not names and kind != "add":
        return
    one, two = (data.draw(st.sampled_from(names)) if names else "" for _ in range(2))
    old, new = Ref(one), Ref(two, 1)
    if kind == "add":
        model[edit.add(Node(free, "Opaque"), [new] if names else [])] = ([new] if names else [], [])
    elif kind == "remove":
        edit.remove(one)
        del model[one]
    elif kind == "readd" and one != two:
        edit.remove(one)
        edit.add(Node(one, "Other"), [new], [two])
        model[one] = ([new], [two])
    elif kind == "rewire":
        edit.rewire(old, new)
        for name, (inputs, _) in model.items():
            if name != new.node:
                inputs[:] = [new if ref == old else ref for ref in inputs]
    elif kind == "control" and one != two:
        edit.rewire_control(one, two)
        for name, (_, controls) in model.items():
            if name != two:
                controls[:] = dict.fromkeys(two if c == one else c for c in controls)
    elif kind == "input" and model[one][0]:
        edit.set_input(one, 0, new)
        model[one][0][0] = new


def test_who_was_to_be_placed_with_a_removed_node_no_longer_is() -> None:
    attrs = Attrs({"_class": (b"loc:@a", b"loc:@b", b"other")})
    graph = make(("a", []), ("b", []))
    with graph.edit() as edit:
        edit.add(Node("c", "Opaque", attrs=attrs))
        edit.add(Node("d", "Opaque", attrs=Attrs({"_class": (b"loc:@a",)})))
    with graph.edit() as edit:
        edit.remove("a")
    assert graph.node("c").attrs["_class"] == (b"loc:@b", b"other")
    assert "_class" not in graph.node("d").attrs
    again = from_graph_def(to_graph_def(graph))
    with again.edit() as edit:
        edit.remove("b")
    assert again.node("c").attrs["_class"] == (b"other",)


def test_a_graph_whose_colocated_nodes_were_pruned_can_be_imported() -> None:
    graph = from_graph_def(colocated())
    assert graph.node("w").attrs["_class"]
    with graph.edit() as edit:
        edit.add(Node("one", "Placeholder", attrs=Attrs({"dtype": graph.node("w").attrs["T"]})))
        edit.set_inputs("w", [Ref("one")], [])
        for node in graph:
            if node.name not in ("w", "out"):
                edit.remove(node.name)
    with tf.Graph().as_default():
        tf.graph_util.import_graph_def(to_graph_def(graph), name="")
