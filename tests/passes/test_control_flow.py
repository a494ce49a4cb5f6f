"""Engines amid control flow: branches and loops of both kinds, run for real."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.graph.models import function
from tests.passes.graft import Result, build, calls, chain, check, graft, run, v1
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.passes.contexts import NOWHERE, contexts
from tfgraft.registry.registry import Registry

LOW = np.linspace(-1, 0.5, 4, dtype=np.float32)
HIGH = LOW + 3


def x() -> Any:
    return v1.placeholder(tf.float32, [4], "x")


def contexts_of(graph_def: Any) -> dict[str, frozenset[str]]:
    graph = from_graph_def(graph_def)
    return contexts(graph, graph.topological())


def assert_one_context_each(graph_def: Any, result: Result) -> None:
    where = contexts_of(graph_def)
    for cluster in result.report.clusters:
        inside = {where.get(n, NOWHERE) for n in cluster.nodes if n.startswith(("op", "a_", "b_", "c_"))}
        assert len(inside) <= 1, f"{cluster.nodes} are of {inside}"


# TensorFlow 1: Switch, Merge, Enter, Exit


def branch() -> None:
    a = x()
    chosen = v1.cond(
        tf.reduce_max(a) > 1.0,
        lambda: chain(a, 3, "a"),
        lambda: chain(a * 2.0, 3, "b") + tf.constant([1.0, 2.0, 3.0, 4.0]),
    )
    tf.identity(chain(chosen, 3, "c"), name="out")


@pytest.mark.parametrize("optimizers", [(), ("constfold",)])
def test_branches_are_clustered_apart(registry: Registry, optimizers: tuple[str, ...]) -> None:
    graph_def = build(branch, control_flow_v1=True)
    assert any(n.op == "Switch" for n in graph_def.node)
    result = graft(graph_def, ["out:0"], registry=registry, grappler=optimizers)
    assert_one_context_each(graph_def, result)
    assert sorted(c.size for c in result.report.clusters if any(n[-3:] in ("a_1", "b_1") for n in c.nodes)) == [4, 6]
    check(graph_def, result, ["out:0"], {"x:0": LOW}, {"x:0": HIGH})
    run(result.graph_def, ["out:0"], {"x:0": LOW})


def test_only_the_branch_that_is_taken_runs(registry: Registry) -> None:
    graph_def = build(branch, control_flow_v1=True)
    result = graft(graph_def, ["out:0"], registry=registry)
    check(graph_def, result, ["out:0"], {"x:0": LOW})
    assert calls() == len(result.engines) - 1


def test_nested_branches(registry: Registry) -> None:
    def model() -> None:
        a = x()

        def inner() -> Any:
            return v1.cond(tf.reduce_min(a) > 0.0, lambda: chain(a, 2, "a"), lambda: chain(-a, 2, "b")) * chain(
                a, 2, "c"
            )

        tf.identity(v1.cond(tf.reduce_max(a) > 1.0, inner, lambda: chain(a, 3)), name="out")

    graph_def = build(model, control_flow_v1=True)
    result = graft(graph_def, ["out:0"], registry=registry)
    assert_one_context_each(graph_def, result)
    assert len(result.engines) >= 4
    check(graph_def, result, ["out:0"], {"x:0": LOW}, {"x:0": HIGH}, {"x:0": HIGH - 3.2})


def loop(body: Any) -> None:
    _, out = v1.while_loop(lambda i, v: i < 4, lambda i, v: (i + 1, body(v, i)), [tf.constant(0), x()])
    tf.identity(chain(out, 2, "c"), name="out")


@pytest.mark.parametrize("optimizers", [(), ("constfold",), ("constfold", "loop", "dependency")])
def test_a_loop_body_is_clustered_inside_its_frame(registry: Registry, optimizers: tuple[str, ...]) -> None:
    graph_def = build(lambda: loop(lambda v, i: chain(v, 4)), control_flow_v1=True)
    assert any(n.op == "NextIteration" for n in graph_def.node)
    result = graft(graph_def, ["out:0"], registry=registry, grappler=optimizers)
    inside = [c for c in result.report.clusters if any(n.startswith("while/op_") for n in c.nodes)]
    assert len(inside) == 1
    assert not any(n.startswith("c_") for n in inside[0].nodes)
    check(graph_def, result, ["out:0"], {"x:0": LOW}, {"x:0": HIGH})
    run(result.graph_def, ["out:0"], {"x:0": LOW})
    assert calls() >= 4, "the engine in the body runs each time round"


def test_a_branch_in_a_loop_and_a_loop_in_a_loop(registry: Registry) -> None:
    def body(v: Any, i: Any) -> Any:
        v = v1.cond(tf.reduce_sum(v) > 1.0, lambda: chain(v, 2, "a") - 0.5, lambda: chain(v, 2, "b") + 1.0)
        _, w = v1.while_loop(lambda j, w: j < 2, lambda j, w: (j + 1, chain(w, 3)), [tf.constant(0), v])
        return w * 0.9 + v

    graph_def = build(lambda: loop(body), control_flow_v1=True)
    result = graft(graph_def, ["out:0"], registry=registry)
    assert len(result.engines) >= 4
    check(graph_def, result, ["out:0"], {"x:0": LOW}, {"x:0": HIGH})


def test_a_loop_in_a_branch_with_large_weights(registry: Registry) -> None:
    weight = np.random.default_rng(0).standard_normal((4, 100)).astype(np.float32) / 10

    def model() -> None:
        a = x()

        def turn(v: Any) -> Any:
            with tf.name_scope("turn"):
                w = tf.constant(weight)
                return tf.reshape(tf.tanh(tf.reshape(v, [1, 4]) @ w) @ tf.transpose(w), [4])

        def taken() -> Any:
            return v1.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, turn(v)), [tf.constant(0), a])[1]

        tf.identity(v1.cond(tf.reduce_max(a) > 1.0, taken, lambda: chain(a, 3)), name="out")

    graph_def = build(model, control_flow_v1=True)
    result = graft(graph_def, ["out:0"], registry=registry)
    assert any(c.weights for c in result.report.clusters)
    check(graph_def, result, ["out:0"], {"x:0": LOW}, {"x:0": HIGH})


def test_a_constant_that_is_in_a_branch_by_a_control_edge_keeps_it_there(registry: Registry) -> None:
    """Grappler leaves such constants: the cluster reads nothing else of the branch, and must be dead with it."""

    def model() -> None:
        a = x()

        def with_constant() -> Any:
            return tf.constant([1.0, 2.0, 3.0, 4.0], name="k")

        chosen = v1.cond(tf.reduce_max(a) > 1.0, lambda: chain(with_constant() * a, 3, "a"), lambda: chain(a, 2, "b"))
        tf.identity(chosen, name="out")

    graph_def = build(model, control_flow_v1=True)
    # What an optimizer may do: the multiplication reads `a` from outside the branch, where it is the same.
    (product,) = [n for n in graph_def.node if n.op == "Mul"]
    product.input[:] = [i for i in product.input if "k" in i] + ["x"]
    result = graft(graph_def, ["out:0"], registry=registry, grappler=())
    check(graph_def, result, ["out:0"], {"x:0": LOW}, {"x:0": HIGH})


def test_contexts_name_branches_and_frames() -> None:
    def model() -> None:
        a = x()

        def body(i: Any, v: Any) -> Any:
            return i + 1, v1.cond(tf.reduce_sum(v) > 1.0, lambda: tf.tanh(v, name="a"), lambda: tf.sin(v, name="b"))

        _, out = v1.while_loop(lambda i, v: tf.less(i, 4, name="bound"), body, [tf.constant(0), a])
        tf.identity(out, name="out")

    where = contexts_of(build(model, control_flow_v1=True))
    assert "x" not in where
    assert "out" not in where, "what comes after a loop is outside of it"
    frame = {t for t in where["while/bound"] if t.startswith("frame ")}
    assert len(frame) == 1
    a, b = where["while/cond/a"], where["while/cond/b"]
    assert frame <= a
    assert frame <= b
    assert len(a - b) == len(b - a) == 1
    assert {t.rpartition(":")[0] for t in a - b} == {t.rpartition(":")[0] for t in b - a}, "one predicate, two branches"
    merged = next(n for n in where if n.endswith("cond/Merge"))
    assert where[merged] == a & b


def test_a_graph_without_control_flow_has_no_contexts() -> None:
    assert contexts_of(build(lambda: chain(x(), 3))) == {}


# TensorFlow 2: functions


def traced(function: Any, *specs: Any) -> Any:
    return tf.function(function, input_signature=specs).get_concrete_function().graph.as_graph_def()


SPEC = tf.TensorSpec([None], tf.float32, name="x")


def output(graph_def: Any) -> str:
    return f"{graph_def.node[-1].name}:0"


def test_branch_functions_are_clustered(registry: Registry) -> None:
    def model(x: Any) -> Any:
        y = tf.cond(tf.reduce_max(x) > 1.0, lambda: chain(x, 4), lambda: chain(x * 3.0, 4))
        return tf.identity(chain(y, 3), name="out")

    graph_def = traced(model, SPEC)
    fetch = next(f"{n.name}:0" for n in graph_def.node if n.name == "out")
    result = graft(graph_def, [fetch], registry=registry)
    assert {c.function != "" for c in result.report.clusters} == {True, False}
    assert len([c for c in result.report.clusters if c.function]) == 2
    check(graph_def, result, [fetch], {"x:0": LOW}, {"x:0": HIGH}, {"x:0": HIGH[:2]})
    assert calls() == 3, "the predicate, a branch, and what comes after"


@pytest.mark.parametrize("grows", [False, True])
def test_loop_functions_are_clustered_whatever_the_shapes_do(registry: Registry, grows: bool) -> None:
    def model(x: Any) -> Any:
        def body(i: Any, v: Any) -> Any:
            v = tf.math.bessel_i0e(chain(v, 4))  # no engine takes it: the loop is not taken as a whole
            return i + 1, tf.concat([v, v[:1]], 0) if grows else v

        invariants = [tf.TensorShape([]), tf.TensorShape([None])]
        _, out = tf.while_loop(lambda i, v: i < 3, body, [0, x], shape_invariants=invariants)
        return tf.identity(out, name="out")

    graph_def = traced(model, tf.TensorSpec([4], tf.float32, name="x"))
    result = graft(graph_def, ["out:0"], registry=registry)
    assert any(c.function for c in result.report.clusters)
    check(graph_def, result, ["out:0"], {"x:0": LOW})
    assert calls() >= 3


def test_called_functions_are_clustered_once_for_all_callers(registry: Registry) -> None:
    @function(tf.TensorSpec(None, tf.float32))
    def helper(v: Any) -> Any:
        return chain(v, 4), tf.strings.as_string(v)

    def model(x: Any) -> Any:
        a, text = helper(x)
        b, _ = helper(tf.reshape(a, [2, -1]))
        return tf.identity(b, name="out"), tf.identity(text, name="text")

    graph_def = traced(model, SPEC)
    result = graft(graph_def, ["out:0", "text:0"], registry=registry)
    feed = {"x:0": LOW}
    for one, two in zip(*[run(g, ["out:0", "text:0"], feed) for g in (graph_def, result.graph_def)], strict=True):
        if one.dtype == object:
            np.testing.assert_array_equal(one, two)
        else:
            np.testing.assert_allclose(one, two, rtol=1e-5)


def test_functions_that_xla_must_compile_get_no_engine(registry: Registry) -> None:
    """XLA compiles no op of ours: an engine inside would make the graph fail."""

    @function(jit_compile=True)
    def compiled(v: Any) -> Any:
        return tf.cond(tf.reduce_sum(v) > 0.0, lambda: chain(v, 4), lambda: chain(-v, 4))

    def model(x: Any) -> Any:
        return tf.identity(chain(compiled(chain(x, 3, "before")), 3, "after"), name="out")

    graph_def = traced(model, tf.TensorSpec([4], tf.float32, name="x"))
    assert any("_XlaMustCompile" in n.attr for n in graph_def.node)
    result = graft(graph_def, ["out:0"], registry=registry)
    assert len(result.engines) == 2
    assert {c.function for c in result.report.clusters} == {""}
    check(graph_def, result, ["out:0"], {"x:0": LOW}, {"x:0": HIGH})


def test_recursive_functions_do_no_harm(registry: Registry) -> None:
    graph_def = traced(lambda x: tf.identity(chain(x, 3), name="out"), SPEC)
    function = graph_def.library.function.add()
    function.signature.name = "again"
    function.signature.input_arg.add(name="v", type=1)
    function.signature.output_arg.add(name="r", type=1)
    call = function.node_def.add(name="call", op="PartitionedCall", input=["v"])
    call.attr["f"].func.name = "again"
    call.attr["Tin"].list.type.append(1)
    call.attr["Tout"].list.type.append(1)
    function.ret["r"] = "call:output:0"
    unused = graph_def.node.add(name="unused", op="PartitionedCall", input=["x"])
    for key in ("f", "Tin", "Tout"):
        unused.attr[key].CopyFrom(call.attr[key])
    result = graft(graph_def, ["out:0", "unused:0"], registry=registry, grappler=())
    assert len(result.engines) == 1
