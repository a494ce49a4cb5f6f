"""grappler: TensorFlow's optimizers by name, their result taken over, their refusal told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.graph.models import function
from tests.passes.graft import X, build, run, x
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext
from tfgraft.passes.grappler import NAMES, Grappler
from tfgraft.registry.registry import Registry


def optimized(graph_def: Any, optimizers: tuple[str, ...], *fetches: str, **ends: Any) -> tuple[Graph, PassContext]:
    graph = from_graph_def(
        graph_def, feeds=[TensorRef("x")], fetches=[TensorRef.parse(f) for f in fetches or ("out",)], **ends
    )
    ctx = PassContext(Registry())
    Grappler(optimizers).run(graph, ctx)
    assert graph.verify() == []
    return graph, ctx


def folding() -> None:
    c = tf.reshape(tf.range(4, dtype=tf.float32) * 2.0, [4], name="folded")
    y = tf.add(x(), c, name="sum")
    tf.identity(tf.multiply(y, tf.cast(tf.shape(y)[1], tf.float32)), name="out")


def test_constants_are_folded_and_the_numbers_stay() -> None:
    graph_def = build(folding)
    graph, _ = optimized(graph_def, ("constfold",))
    assert graph.node("folded").op == "Const"
    assert not any(node.op == "Range" for node in graph)
    np.testing.assert_allclose(
        run(to_graph_def(graph), ["out:0"], {"x:0": X})[0], run(graph_def, ["out:0"], {"x:0": X})[0]
    )


def test_quantized_constants_are_not_folded() -> None:
    """An engine takes the integers; folded, they are floats like any other."""

    def make() -> None:
        kernel = tf.constant(np.arange(8, dtype=np.float32).reshape(4, 2), name="kernel")
        quantized = tf.quantization.fake_quant_with_min_max_args(tf.identity(kernel), -8.0, 8.0, name="quantized")
        bound = tf.multiply(tf.constant(2.0), tf.constant(3.0), name="bound")
        y = tf.quantization.fake_quant_with_min_max_vars(x(), -bound, bound)
        tf.matmul(y, quantized, name="out")

    graph, _ = optimized(build(make), ("constfold",))
    assert graph.node("quantized").op == "FakeQuantWithMinMaxArgs"
    assert graph.node("kernel").op == "Const"
    assert not any(node.op == "Mul" for node in graph)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("autoparallel", "scoped_allocator")])
def test_every_optimizer_leaves_a_graph_that_computes_the_same(name: str) -> None:
    graph_def = build(folding)
    graph, _ = optimized(graph_def, (name,), "out", "sum", keep=["folded"])
    assert "folded" in graph
    fetches = ["out:0", "sum:0"]
    for a, b in zip(*[run(g, fetches, {"x:0": X}) for g in (to_graph_def(graph), graph_def)], strict=True):
        np.testing.assert_allclose(a, b)


def test_names_are_checked() -> None:
    with pytest.raises(ValueError, match=r"Grappler has no optimizer 'constfolding'; it has arithmetic, "):
        Grappler(("remap", "constfolding"))


def test_without_fetches_nothing_is_optimized() -> None:
    graph = from_graph_def(build(folding))
    result = Grappler().run(graph, PassContext(Registry()))
    assert not result.changed
    assert "no fetches" in result.summary


def test_a_graph_that_grappler_refuses_stays_and_is_told() -> None:
    graph_def = build(folding)
    broken = graph_def.library.function.add()
    broken.signature.name = "broken"
    broken.signature.output_arg.add(name="missing", type=1)
    call = graph_def.node.add(name="odd", op="PartitionedCall")
    call.attr["f"].func.name = "broken"
    call.attr["Tin"].list.SetInParent()
    call.attr["Tout"].list.type.append(1)
    before = graph_def.SerializeToString(deterministic=True)
    graph, ctx = optimized(graph_def, ("constfold",), "odd")
    assert to_graph_def(graph).SerializeToString(deterministic=True) == before
    (told,) = ctx.diagnostics
    assert (told.severity, told.code, told.origin) == ("warning", "grappler", "grappler")
    assert "stays as it was" in told.message


def test_new_functions_are_taken_over() -> None:
    @function()
    def helper(v: Any, flag: bool) -> Any:
        return tf.tanh(v) if flag else v

    @function(tf.TensorSpec([None, 4], tf.float32, name="x"))
    def main(x: Any) -> Any:
        return tf.identity(helper(x, True), name="out")

    graph_def = main.get_concrete_function().graph.as_graph_def()
    graph, _ = optimized(graph_def, ("function",), "out")
    np.testing.assert_allclose(run(to_graph_def(graph), ["out:0"], {"x:0": X})[0], np.tanh(X), rtol=1e-6)
