"""A cluster on its own in a Session, as TensorFlow runs it and as an engine node does, ready to be called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgraft.choice.timing import Call
from tfgraft.direct import weights_of
from tfgraft.function import import_graph, uses_engines
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef, control_source
from tfgraft.graph.views import TENSORS, tensor_info
from tfgraft.load.check import RUNTIME_OP
from tfgraft.load.model import NamedTensor
from tfgraft.passes.base import PassContext
from tfgraft.passes.build_engines import Built, renumbered
from tfgraft.passes.replace_clusters import ReplaceClusters
from tfgraft.session import session_callable

Array = NDArray[Any]


def session_threads(threads: int) -> int:
    """Return the intra-op threads of sessions that time: those that are wanted, or this process's own (0: all)."""
    return threads or int(tf.config.threading.get_intra_op_parallelism_threads())


def native_call(graph: Graph, built: Built, values: Mapping[TensorRef, Array], threads: int) -> Call:
    """Return a call of a cluster's nodes, as they are, on the values of its inputs; it returns the outputs."""
    cluster = built.cluster
    return _call(to_graph_def(graph), graph, cluster.inputs, [str(ref) for ref in cluster.outputs], values, threads)


def engine_call(graph: Graph, built: Built, values: Mapping[TensorRef, Array], threads: int, ctx: PassContext) -> Call:
    """Return a call of the engine node of a cluster, on the values of its inputs; it returns the outputs.

    Where the engine cannot run the call fails, instead of falling back.
    """
    graph_def, (name,) = grafted(graph, [built], ctx, strict=True)
    outputs = [f"{name}:{port}" for port in range(len(built.cluster.outputs))]
    return _call(graph_def, graph, built.cluster.inputs, outputs, values, threads)


def direct_call(graph: Graph, built: Built, values: Mapping[TensorRef, Array], ctx: PassContext) -> Call | None:
    """Return a call of the engine of a cluster without TensorFlow around it; None if the engine is not for that."""
    from tfgraft.runtime import host_engine

    graph_def, (name,) = grafted(graph, [built], ctx, strict=True)
    nodes = {node.name: node for node in graph_def.node}
    if nodes[name].op != RUNTIME_OP:
        return None
    weights = partial(weights_of, nodes, nodes[name])
    engine = host_engine(nodes[name], weights, graph_def.library.SerializeToString)
    if engine is None:
        return None
    arrays = [np.ascontiguousarray(values[ref]) if values[ref].ndim else values[ref] for ref in built.cluster.inputs]
    return lambda: engine.compute(arrays)


def grafted(graph: Graph, built: Sequence[Built], ctx: PassContext, *, strict: bool) -> tuple[Any, list[str]]:
    """Return a GraphDef with engines in the place of clusters, and their nodes' names, in order.

    The graph is not changed. The clusters' ids need not differ: engines number theirs as if they were alone.
    """
    copy = copied(graph)
    trial = PassContext(ctx.registry, ctx.engine, ctx.options, strict=strict)
    own = [renumbered(one, f"engine_{i}") for i, one in enumerate(built)]
    trial.results["built"] = own
    ReplaceClusters().run(copy, trial)
    return to_graph_def(copy), [trial.results["engine_nodes"][one.cluster.id] for one in own]


def copied(graph: Graph) -> Graph:
    """Return a copy of a main graph and its functions, with what is known of their tensors."""
    copy = from_graph_def(to_graph_def(graph), feeds=graph.feeds, fetches=graph.fetches)
    copy.facts.update(TENSORS, graph.facts.table(TENSORS))
    for body in graph.library.bodies():
        other = copy.library.body(body.name) if body.name in copy.library else None
        if other is not None:
            other.facts.update(TENSORS, body.facts.table(TENSORS))
    return copy


def _untie(graph_def: Any) -> None:
    """Take away control inputs: they say what runs first, and by way of them a cluster would run what feeds it."""
    for node in graph_def.node:
        kept = [text for text in node.input if control_source(text) is None]
        if len(kept) < len(node.input):
            node.input[:] = kept


def _call(
    graph_def: Any,
    graph: Graph,
    inputs: Sequence[TensorRef],
    outputs: Sequence[str],
    values: Mapping[TensorRef, Array],
    threads: int,
) -> Call:
    if uses_engines(graph_def):
        import tfgraft.runtime  # noqa: F401  (registers the op)
    _untie(graph_def)
    specs = [NamedTensor(str(ref), tensor_info(graph, ref).dtype) for ref in inputs]
    with tf.Graph().as_default() as own:
        fed = [tf.compat.v1.placeholder(spec.dtype, values[ref].shape) for spec, ref in zip(specs, inputs, strict=True)]
        wanted = [NamedTensor(name, "") for name in outputs]
        results = import_graph(graph_def, specs, fed, wanted)
    call = session_callable(own, (tensor.name for tensor in fed), (tensor.name for tensor in results), threads)
    arrays = [np.ascontiguousarray(values[ref]) if values[ref].ndim else values[ref] for ref in inputs]
    return lambda: call(*arrays)
