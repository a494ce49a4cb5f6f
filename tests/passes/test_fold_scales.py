"""fold_scales: what is folded into a kernel, what is not, and that the numbers stay."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.passes.graft import build, v1
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext
from tfgraft.passes.fold_scales import FoldScales
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.passes.pipeline import Pipeline
from tfgraft.registry.registry import Registry

_R = np.random.default_rng(0)
_X = _R.standard_normal((2, 8, 8, 4)).astype(np.float32)
_K = _R.standard_normal((3, 3, 4, 6)).astype(np.float32)
_D = _R.standard_normal((3, 3, 4, 2)).astype(np.float32)
_C6, _C8 = (_R.uniform(0.5, 2, n).astype(np.float32) for n in (6, 8))


def _conv(x: Any) -> Any:
    return tf.nn.conv2d(x, tf.constant(_K), 1, "SAME")


def _norm(x: Any, channels: int = 6, **more: Any) -> Any:
    parts = [tf.constant(_R.uniform(0.5, 2, channels).astype(np.float32)) for _ in range(4)]
    return v1.nn.fused_batch_norm(x, *parts, is_training=False, **more)[0]


def _run(graph_def: Any) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    with v1.Session(graph=graph) as session:
        return session.run("out:0", {"x:0": _X})


def _folded(function: Any, fetches: tuple[str, ...] = ("out:0",)) -> tuple[Graph, Any]:
    def body() -> None:
        tf.identity(function(v1.placeholder(tf.float32, (None, 8, 8, 4), "x")), name="out")

    graph_def = build(body)
    graph = from_graph_def(graph_def, feeds=[TensorRef("x")], fetches=[TensorRef.parse(name) for name in fetches])
    Pipeline((InferShapes(), FoldScales())).run(graph, PassContext(Registry()))
    return graph, graph_def


FOLDS = {
    "scale": lambda x: _conv(x) * _C6,
    "scale-first": lambda x: tf.constant(_C6) * _conv(x),
    "bias-scale-offset": lambda x: tf.nn.bias_add(_conv(x), _C6) * _C6 + _C6,
    "minus": lambda x: _conv(x) * _C6 - _C6,
    "copies": lambda x: tf.identity(tf.identity(_conv(x)) * _C6) + _C6,
    "norm": lambda x: _norm(_conv(x)),
    "bias-norm": lambda x: _norm(tf.nn.bias_add(_conv(x), _C6), epsilon=0.1),
    "depthwise": lambda x: tf.nn.depthwise_conv2d(x, tf.constant(_D), (1, 1, 1, 1), "SAME") * _C8,
    "scalar": lambda x: _conv(x) * 3.0,
    "four-dimensions": lambda x: _conv(x) * _C6.reshape(1, 1, 1, 6),
    "matmul": lambda x: tf.matmul(tf.reshape(x, (-1, 4)), tf.constant(_K[0, 0])) * _C6 + _C6,
}


@pytest.mark.parametrize("name", FOLDS)
def test_folds(name: str) -> None:
    graph, before = _folded(FOLDS[name])
    ops = Counter(node.op for node in graph)
    assert not {"Mul", "FusedBatchNormV3", "AddV2", "Sub"} & ops.keys()
    assert ops["BiasAdd"] == 1
    np.testing.assert_allclose(_run(to_graph_def(graph)), _run(before), rtol=2e-5, atol=2e-5)


STAYS = {
    "nothing to fold": lambda x: tf.nn.relu(_conv(x) + _C6),
    "read twice": lambda x: tf.add_n([y := _conv(x), y * _C6]),
    "not a constant": lambda x: _conv(x) * tf.reduce_mean(x),
    "not per channel": lambda x: _conv(x) * _R.uniform(1, 2, (8, 8, 1)).astype(np.float32),
    "broadcasts to more": lambda x: _conv(x) * _R.uniform(1, 2, (1, 1, 1, 1, 6)).astype(np.float32),
    "transposed": lambda x: tf.matmul(tf.reshape(x, (-1, 4)), tf.constant(_K[0, 0].T.copy()), transpose_b=True) * _C6,
    "no number": lambda x: _conv(x) * np.float32("nan"),
    "constant minus": lambda x: _C6 - _conv(x),
}


@pytest.mark.parametrize("name", STAYS)
def test_leaves(name: str) -> None:
    graph, before = _folded(STAYS[name])
    assert Counter(node.op for node in graph) == Counter(node.op for node in _pruned(before)), (
        "something was folded that must not be"
    )


def _pruned(graph_def: Any) -> Any:
    return tf.compat.v1.graph_util.extract_sub_graph(graph_def, ["out"]).node


def test_what_is_fetched_between_stays() -> None:
    def function(x: Any) -> Any:
        return tf.identity(_conv(x), name="middle") * _C6

    graph, _ = _folded(function, ("out:0", "middle:0"))
    assert "Mul" in {node.op for node in graph}


def test_a_kernel_that_others_read_is_not_changed_for_them() -> None:
    kernel = _R.standard_normal((1, 1, 4, 4)).astype(np.float32)

    def function(x: Any) -> Any:
        shared = tf.constant(kernel)
        return tf.nn.conv2d(tf.nn.conv2d(x, shared, 1, "SAME") * 2.0, shared, 1, "SAME")

    graph, before = _folded(function)
    np.testing.assert_allclose(_run(to_graph_def(graph)), _run(before), rtol=1e-5, atol=1e-5)
