"""OpCase: one op with attributes and inputs, what to expect of it, and how a case becomes a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import PassContext
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.registry.registry import Registry


@dataclass(frozen=True)
class OpCase:
    """One op as a user's graph has it.

    Args:
        id: unique in its table.
        build: builds the op(s) from the input tensors; the last op type named `op` in the graph is the one tested.
        inputs: values that are fed when running.
        op: the TF op type that the case is about.
        dynamic: which dimensions of the inputs are unknown to the graph (True: all of them; a tuple of shapes, one for
            each input, with None for an unknown dimension, or None for an unknown rank).
        unknown_rank: whether even the inputs' ranks are unknown.
        rtol, atol: tolerances for float outputs; ints, bools must be equal.
        refusal: the refusal code that is expected; None: the op is converted.
        truth: builds the same results from other ops, where TensorFlow has no CPU kernel for what `build` makes.
    """

    id: str
    op: str
    build: Callable[..., Any]
    inputs: Sequence[Any]
    dynamic: bool | tuple[tuple[int | None, ...] | None, ...] = False
    unknown_rank: bool = False
    rtol: float = 1e-5
    atol: float = 1e-6
    refusal: str | None = None
    truth: Callable[..., Any] | None = None
    notes: dict[str, Any] = field(default_factory=dict)


def graph_of(case: OpCase) -> tuple[Graph, list[np.ndarray[Any, Any]]]:
    """Return the case's graph with shapes inferred, and TensorFlow's own results (none for a refusal)."""
    arrays = [np.asarray(v) for v in case.inputs]
    g, feeds, outs = _build(case, case.build, arrays)
    if case.refusal is not None and case.truth is None:
        values = []
    elif case.truth is None:
        values = _session_run(g, feeds, outs, arrays)
    else:
        values = _session_run(*_build(case, case.truth, arrays), arrays)
    graph = from_graph_def(
        g.as_graph_def(),
        feeds=[TensorRef(t.op.name) for t in feeds],
        fetches=[TensorRef(t.op.name, t.value_index) for t in outs],
    )
    InferShapes().run(graph, PassContext(Registry()))
    return graph, values


def _build(case: OpCase, build: Callable[..., Any], arrays: list[Any]) -> tuple[tf.Graph, list[Any], list[Any]]:
    g = tf.Graph()
    with g.as_default():
        feeds = []
        for i, a in enumerate(arrays):
            shape: Any = [None] * a.ndim if case.dynamic else a.shape
            if case.unknown_rank:
                shape = None
            elif isinstance(case.dynamic, tuple):
                shape = case.dynamic[i]
            feeds.append(tf.compat.v1.placeholder(a.dtype, shape, f"x{i}"))
        return g, feeds, list(tf.nest.flatten(build(*feeds)))


def _session_run(g: tf.Graph, feeds: list[Any], outs: list[Any], arrays: list[Any]) -> list[Any]:
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True  # takes most of the time of so small a graph
    with tf.compat.v1.Session(graph=g, config=config) as session:
        values: list[Any] = session.run(outs, dict(zip(feeds, arrays, strict=True)))
    return values
