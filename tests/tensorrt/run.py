"""One case through TensorRT: the network that our converters make, built on the CPU and run by the reference engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.cases.case import OpCase
from tfgraft.converters.tensorrt.model import TensorRtNetwork, cluster_to_network
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_value
from tfgraft.plugins.protocol import Cluster
from tfgraft.plugins.reference.interpreter import Interpreter
from tfgraft.plugins.reference.read import read_network
from tfgraft.plugins.tensorrt.log import process_logger
from tfgraft.registry.registry import Registry


def whole(graph: Graph) -> Cluster:
    """Make one cluster of all that is computed; constants of 256 bytes and more become weights."""
    fed = {f.node for f in graph.feeds}
    nodes = tuple(n for n in graph.topological() if n not in fed and graph.node(n).op != "Placeholder")
    weights = tuple(
        TensorRef(n) for n in nodes if graph.node(n).op == "Const" and const_value(graph.node(n)).nbytes >= 256
    )
    return Cluster("engine_0", "tensorrt", "", nodes, graph.feeds, weights, graph.fetches, len(nodes))


def network_of(graph: Graph, registry: Registry, trt: Any, builder: Any) -> TensorRtNetwork:
    """Convert a case's whole graph."""
    return cluster_to_network(whole(graph), graph, registry, ("tensorrt",), trt, builder, process_logger(trt).take)


def build(trt: Any, builder: Any, network: Any, feeds: list[Any]) -> str:
    """Build a network for the shapes of some feeds; return TensorRT's complaint, empty if it built."""
    config = builder.create_builder_config()
    config.builder_optimization_level = 0
    profile = builder.create_optimization_profile()
    for i, value in enumerate(feeds):
        tensor, shape = network.get_input(i), np.shape(value)
        if tensor.is_shape_tensor:
            profile.set_shape_input(tensor.name, *(np.ravel(value).tolist(),) * 3)
        else:
            profile.set_shape(tensor.name, shape, shape, shape)
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    reason: str = process_logger(trt).take()
    return "" if plan is not None else reason or "TensorRT does not say why"


def interpret(trt: Any, made: TensorRtNetwork, feeds: list[Any]) -> list[Any]:
    """Run the network that was made in the reference engine."""
    interpreter = Interpreter(read_network(trt, made.network, made.unreadable))
    results = interpreter.run({f"input_{i}": np.asarray(v) for i, v in enumerate(feeds)})
    return [results[f"output_{i}"] for i in range(len(made.outputs))]


def tolerance(case: OpCase, dtype: Any) -> tuple[float, float]:
    """Return the relative and absolute tolerance of a result."""
    if dtype == np.float32:
        return case.rtol, case.atol
    return max(case.rtol, 1e-2), max(case.atol, 1e-2)
