"""join_quantizers: which pairs become one node, with the same numbers, and which stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.graph.models import function as traced
from tests.passes.graft import build, run, v1
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext
from tfgraft.passes.join_quantizers import JoinQuantizers
from tfgraft.registry.registry import Registry

X = (np.random.default_rng(2).standard_normal((4, 50, 3)) * 3).astype(np.float32)
EVEN: dict[str, Any] = {"mode": "SCALED", "round_mode": "HALF_TO_EVEN"}


def pair(x: Any, low: Any, high: Any, dtype: Any, second: dict[str, Any] | None = None, **how: Any) -> Any:
    q, least, most = tf.raw_ops.QuantizeV2(input=x, min_range=low, max_range=high, T=dtype, **how)
    shared: dict[str, Any] = {key: how[key] for key in ("mode", "narrow_range", "axis") if key in how}
    return tf.raw_ops.Dequantize(input=tf.identity(q), min_range=least, max_range=most, **(shared | (second or {})))


def joined(function: Any) -> tuple[set[str], Any, Any]:
    """Return the ops that are left, and the results after and before."""
    graph_def = build(lambda: tf.identity(function(v1.placeholder(tf.float32, X.shape, "x")), name="out"))
    graph = from_graph_def(graph_def, feeds=[TensorRef("x")], fetches=[TensorRef("out")])
    JoinQuantizers().run(graph, PassContext(Registry()))
    assert graph.verify() == []
    got, want = (run(each, ["out:0"], {"x:0": X})[0] for each in (to_graph_def(graph), graph_def))
    return {node.op for node in graph}, got, want


LOWS, HIGHS = np.array([-1, -3, 0], "float32"), np.array([2, 1, 5], "float32")
JOINED: dict[str, Any] = {
    "signed": lambda x: pair(x, -3.0, 4.0, tf.qint8, **EVEN),
    "narrow": lambda x: pair(x, -5.0, 2.0, tf.qint8, narrow_range=True, **EVEN),
    "unsigned": lambda x: pair(x, 0.0, 6.0, tf.quint8, **EVEN),
    "above-zero": lambda x: pair(x, 1.0, 3.0, tf.quint8, **EVEN),
    "small-range": lambda x: pair(x * 1e-3, -1e-3, 1e-3, tf.qint8, **EVEN),
    "least-range": lambda x: pair(x * 1e-3, -1e-3, 1e-3, tf.qint8, ensure_minimum_range=1e-5, **EVEN),
    "axis": lambda x: pair(x, LOWS, HIGHS, tf.qint8, axis=2, narrow_range=True, **EVEN),
    "axis-small": lambda x: pair(x * 1e-3, LOWS * 1e-3, HIGHS * 1e-3, tf.qint8, axis=2, **EVEN),
}
LEFT: dict[str, Any] = {
    "min-first": lambda x: pair(x, -3.0, 4.0, tf.quint8, mode="MIN_FIRST"),
    "min-combined": lambda x: pair(x, -3.0, 4.0, tf.qint8, mode="MIN_COMBINED"),
    "rounded-away": lambda x: pair(x, -3.0, 4.0, tf.qint8, mode="SCALED", round_mode="HALF_AWAY_FROM_ZERO"),
    "unsigned-narrow": lambda x: pair(x, 0.0, 6.0, tf.quint8, narrow_range=True, **EVEN),
    "two-modes": lambda x: pair(x, -3.0, 4.0, tf.qint8, {"narrow_range": True}, **EVEN),
    "computed-range": lambda x: pair(x, -3.0, tf.reduce_max(x), tf.qint8, **EVEN),
}


@pytest.mark.parametrize("case", JOINED)
def test_pairs_are_joined_and_the_numbers_stay(case: str) -> None:
    ops, got, want = joined(JOINED[case])
    assert "QuantizeV2" not in ops
    assert "Dequantize" not in ops
    np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("case", LEFT)
def test_what_is_no_such_pair_stays(case: str) -> None:
    ops, got, want = joined(LEFT[case])
    assert {"QuantizeV2", "Dequantize"} <= ops
    np.testing.assert_array_equal(got, want)


def test_a_range_of_another_node_stays() -> None:
    def build_both(x: Any) -> Any:
        q, _, _ = tf.raw_ops.QuantizeV2(input=x, min_range=-3.0, max_range=4.0, T=tf.qint8, **EVEN)
        return tf.raw_ops.Dequantize(input=q, min_range=-1.0, max_range=1.0, mode="SCALED")

    ops, got, want = joined(build_both)
    assert "Dequantize" in ops
    np.testing.assert_array_equal(got, want)


def test_engines_take_joined_pairs() -> None:
    """A kernel too, which is not folded into floats."""
    weights = np.random.default_rng(3).standard_normal((3, 8)).astype(np.float32)
    high = np.abs(weights).max(axis=0)

    @traced(tf.TensorSpec(X.shape))
    def model(x: Any) -> Any:
        kernel = pair(tf.constant(weights), -high, high, tf.qint8, axis=1, narrow_range=True, **EVEN)
        y = tf.matmul(tf.reshape(pair(x, -8.0, 8.0, tf.qint8, **EVEN), [-1, 3]), kernel)
        return pair(tf.nn.relu(y), 0.0, 9.0, tf.quint8, **EVEN)

    grafted = tfgraft.optimize(model, strict=True)
    (cluster,) = grafted.report.clusters
    taken = {n.op for n in grafted.report.nodes if n.cluster == cluster.id and "uantize" in n.op}
    assert taken == {"QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3"}
    (got,) = grafted.function()(tf.constant(X))
    np.testing.assert_allclose(got, model(tf.constant(X)), atol=9 / 255 * 1.01)
