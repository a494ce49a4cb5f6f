"""Building one engine of a small graph, as the tests of the builder do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.tensorrt.run import whole
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.plugins.protocol import BuildContext, BuiltEngine
from tfgraft.plugins.tensorrt.builder import TensorRtBuilder
from tfgraft.registry.registry import Registry

QUICK: dict[str, Any] = {"flavour": "tensorrt_rtx", "optimization_level": 0}
"""Options of builds that are looked at and not run."""


def graph_of(function: Callable[[], Any], feeds: tuple[str, ...] = ("x",), fetch: str = "out") -> Graph:
    """Return the graph that `function` builds, with shapes inferred."""
    made = tf.Graph()
    with made.as_default():
        function()
    graph = from_graph_def(made.as_graph_def(), feeds=[TensorRef(name) for name in feeds], fetches=[TensorRef(fetch)])
    InferShapes().run(graph, PassContext(Registry()))
    return graph


def placeholder(*shape: int | None, name: str = "x", dtype: Any = tf.float32) -> Any:
    """Add a placeholder."""
    return tf.compat.v1.placeholder(dtype, shape, name)


def built(graph: Graph, registry: Registry, **options: Any) -> BuiltEngine:
    """Build the whole graph as one engine."""
    context = BuildContext(graph, registry, {**QUICK, **options})
    return TensorRtBuilder().build(whole(graph), context)


def chain() -> None:
    """Three activations of [?, 4]."""
    tf.nn.relu(tf.tanh(tf.sigmoid(placeholder(None, 4), name="a"), name="b"), name="out")


def weighted() -> None:
    """A product with a constant that becomes a weight, and an activation."""
    weight = np.random.default_rng(0).standard_normal((16, 16), np.float32)
    tf.nn.relu(tf.matmul(placeholder(None, 16), tf.constant(weight)), name="out")
