"""free_constants: control edges of constants that only part clusters."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tests.passes.graft import X, build, check, graft, v1, x
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext
from tfgraft.passes.free_constants import FreeConstants
from tfgraft.registry.registry import Registry


def freed(graph_def: Any, fetch: str = "out") -> Graph:
    graph = from_graph_def(graph_def, fetches=[TensorRef(fetch)])
    FreeConstants().run(graph, PassContext(Registry()))
    return graph


def after(op: Any) -> Any:
    with tf.control_dependencies([op]):
        return tf.constant([1.0, 2.0, 3.0, 4.0], name="c")


def test_what_the_reader_waits_for_anyway_is_dropped(registry: Registry) -> None:
    def model() -> None:
        a = tf.tanh(x(), name="a")
        tf.add(a, after(a), name="out")

    graph_def = build(model)
    assert freed(graph_def).control_inputs("c") == ()
    result = graft(graph_def, ["out:0"], registry=registry)
    assert len(result.engines) == 1, "the edge no longer parts what belongs together"
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_what_has_an_effect_stays() -> None:
    def model() -> None:
        a = x()
        with v1.device(""):
            check = v1.Print(a, [a], name="effect")
        tf.add(a, after(check), name="out")

    assert freed(build(model)).control_inputs("c") == ("effect",)


def test_constants_of_a_branch_stay_in_it() -> None:
    def model() -> None:
        a = x()
        tf.identity(v1.cond(tf.reduce_max(a) > 0.0, lambda: a + after(a), lambda: a), name="out")

    graph = freed(build(model, control_flow_v1=True))
    (name,) = [n.name for n in graph if n.op == "Const" and n.name.endswith("/c")]
    assert graph.control_inputs(name)
