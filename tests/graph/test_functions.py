"""Function bodies as graphs: there and back is the identity; edits reach the FunctionDef."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import function_pb2, graph_pb2

from tests.graph.models import function, functional
from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.functions import FunctionLibrary, called
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.node import Node
from tfgraft.graph.opdefs import ARG
from tfgraft.graph.ref import TensorRef


def text(message: Any) -> bytes:
    return message.SerializeToString(deterministic=True)


@pytest.fixture(scope="module")
def model() -> Any:
    return functional()


def test_every_body_is_read_and_written_back_as_it_was(model: Any) -> None:
    graph = from_graph_def(model)
    names = graph.library.reachable(graph)
    assert len(names) >= 5
    for name in names:
        body = graph.library.body(name)
        assert body is not None
        assert body.verify() == []
        graph.library.write_back(body)
    assert text(to_graph_def(graph)) == text(model)


def test_a_body_has_arguments_results_and_list_outputs_as_a_graph_has(model: Any) -> None:
    graph = from_graph_def(model)
    helper = _body_with(graph, "Split")
    arguments = [node for node in helper if node.op == ARG]
    assert [ref.node for ref in helper.feeds] == [node.name for node in arguments]
    split = next(node for node in helper if node.op == "Split")
    assert {port for _, _, port in helper.consumers(split.name)} == {0, 1}
    top_k = next(node for node in helper if node.op == "TopKV2")
    assert {port for _, _, port in helper.consumers(top_k.name)} == {0, 1}, "values, then indices"
    assert len(helper.fetches) == 3
    assert helper.keep, "what has an effect is kept by control_ret"


def _body_with(graph: Graph, op: str) -> Graph:
    for name in graph.library.reachable(graph):
        body = graph.library.body(name)
        if body is not None and any(node.op == op for node in body):
            return body
    raise AssertionError(op)


def test_an_edited_body_runs_as_edited(model: Any) -> None:
    graph = from_graph_def(model)
    with tf.Graph().as_default() as before:
        tf.graph_util.import_graph_def(model, name="")
    body = _body_with(graph, "Sin")
    sin = next(node for node in body if node.op == "Sin")
    with body.edit() as edit:
        edit.replace(Node(sin.name, "Cos", sin.device, sin.attrs))
    body.library.write_back(body)
    with tf.Graph().as_default() as after:
        tf.graph_util.import_graph_def(to_graph_def(graph), name="")
    out = next(node.name for node in model.node if node.op == "Sum")
    feeds = {node.name: node for node in model.node if node.op == "Placeholder"}
    values = {
        f"{name}:0": np.linspace(1, 8, 8, dtype=np.float32) if n.attr["dtype"].type == 1 else True
        for name, n in feeds.items()
    }
    with tf.compat.v1.Session(graph=before) as one, tf.compat.v1.Session(graph=after) as two:
        assert not np.allclose(one.run(f"{out}:0", values), two.run(f"{out}:0", values))


def test_results_may_move_and_the_signature_stays() -> None:
    @function(tf.TensorSpec([3], tf.float32))
    def f(x: Any) -> Any:
        return tf.nn.relu(x), tf.sin(x)

    @function(tf.TensorSpec([3], tf.float32))
    def main(x: Any) -> Any:
        return f(x)

    graph_def = main.get_concrete_function().graph.as_graph_def()
    graph = from_graph_def(graph_def)
    (name,) = graph.library.reachable(graph)
    body = graph.library.body(name)
    assert body is not None
    signature = text(graph.library.get(name).signature)
    with body.edit() as edit:
        edit.add(Node("new", "Neg", attrs=Attrs({"T": DType("float32")})), [body.feeds[0]])
        edit.set_fetches([body.fetches[1], TensorRef("new")])
    graph.library.write_back(body)
    written = graph.library.get(name)
    assert text(written.signature) == signature
    assert "new:y:0" in written.ret.values()
    with tf.Graph().as_default() as g:
        tf.graph_util.import_graph_def(to_graph_def(graph), name="")
        call = next(n for n in graph_def.node if "PartitionedCall" in n.op)
        with tf.compat.v1.Session(graph=g) as session:
            value = np.array([1, -2, 3], np.float32)
            a, b = session.run([f"{call.name}:0", f"{call.name}:1"], {"x:0": value})
    np.testing.assert_allclose(a, np.sin(value), rtol=1e-6)
    np.testing.assert_array_equal(b, -value)


def test_functions_are_found_through_attributes_lists_and_op_names() -> None:
    library = function_pb2.FunctionDefLibrary()
    for name in ("by_attr", "by_list", "by_op", "inner", "unused"):
        library.function.add().signature.name = name
    library.function[0].node_def.add(name="n", op="inner")
    library.function[3].node_def.add(name="n", op="by_attr")  # recursion
    graph_def = graph_pb2.GraphDef(library=library)
    graph_def.node.add(name="a", op="PartitionedCall").attr["f"].func.name = "by_attr"
    graph_def.node.add(name="b", op="Case").attr["branches"].list.func.add(name="by_list")
    graph_def.node.add(name="c", op="by_op")
    graph = from_graph_def(graph_def)
    assert sorted(graph.library.reachable(graph)) == ["by_attr", "by_list", "by_op", "inner"]
    assert called(graph.node("b")) == ["Case", "by_list"]


def test_bodies_that_cannot_be_read_as_graphs_are_none_and_stay_verbatim() -> None:
    library = function_pb2.FunctionDefLibrary()
    unknown = library.function.add()
    unknown.signature.name = "unknown_op"
    unknown.node_def.add(name="n", op="NoSuchOp")
    list_arg = library.function.add()
    list_arg.signature.name = "list_argument"
    list_arg.signature.input_arg.add(name="x", type=1, number_attr="N")
    dangling = library.function.add()
    dangling.signature.name = "dangling"
    dangling.node_def.add(name="n", op="Relu", input=["gone:y:0"]).attr["T"].type = 1
    bad_output = library.function.add()
    bad_output.signature.name = "bad_output"
    bad_output.signature.output_arg.add(name="o", type=1)
    graph_def = graph_pb2.GraphDef(library=library)
    before = text(graph_def)
    graph = from_graph_def(graph_def)
    for name in graph.library:
        assert graph.library.body(name) is None, name
    assert text(to_graph_def(graph)) == before


def test_adding_a_function_replaces_its_body() -> None:
    function = function_pb2.FunctionDef()
    function.signature.name = "f"
    library = FunctionLibrary()
    library.add(function)
    assert library.body("f") is library.body("f")
    old = library.body("f")
    function.node_def.add(name="n", op="NoOp")
    library.add(function)
    new = library.body("f")
    assert new is not old
    assert new is not None
    assert [node.name for node in new] == ["n"]
    assert library.unique_name("f") == "f_1"
    assert len(library) == 1
