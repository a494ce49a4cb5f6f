"""Small graphs as ONNX Runtime sessions: by the op converters alone, as the engine loads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

from tfgraft.converters.onnx.families import CONVERTERS
from tfgraft.converters.onnx.model import OnnxModel, cluster_to_onnx
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_value
from tfgraft.plugins.onnxruntime.options import OnnxRuntimeOptions
from tfgraft.plugins.onnxruntime.session import lay_out_weights, make_session
from tfgraft.plugins.protocol import Cluster
from tfgraft.registry.registry import Registry


def op_converters() -> Registry:
    """Return a registry without the tf2onnx route, which takes what the op converters refuse."""
    registry = Registry()
    for entries in CONVERTERS:
        registry.add(*entries, layer="built-in")
    return registry


def whole(graph: Graph, large: int = 256) -> Cluster:
    """Make one cluster of all that is computed; constants of `large` bytes and more become weights."""
    fed = {f.node for f in graph.feeds}
    nodes = tuple(n for n in graph.topological() if n not in fed and graph.node(n).op != "Placeholder")
    weights = tuple(
        TensorRef(n) for n in nodes if graph.node(n).op == "Const" and const_value(graph.node(n)).nbytes >= large
    )
    return Cluster("engine_0", "onnxruntime", "", nodes, graph.feeds, weights, graph.fetches, len(nodes))


def to_onnx(graph: Graph, registry: Registry, large: int = 256) -> OnnxModel:
    """Convert a whole graph."""
    return cluster_to_onnx(whole(graph, large), graph, registry, ("onnxruntime", "onnx"))


@dataclass(frozen=True)
class Dumping(OnnxRuntimeOptions):
    """Options that have ONNX Runtime write the model that it runs to a file."""

    path: str = ""

    def session_options(self, ort: Any) -> Any:
        """See `OnnxRuntimeOptions`."""
        options = super().session_options(ort)
        options.optimized_model_filepath = self.path
        return options


def run(graph: Graph, made: OnnxModel, inputs: list[Any], options: OnnxRuntimeOptions | None = None) -> list[Any]:
    """Load a converted graph as the engine does, and run it on inputs in order."""
    layouts = [
        [use.name, i, use.perm, use.shape, use.quantization and use.quantization.to_json()]
        for i, use in enumerate(made.weights)
    ]
    weights = [const_value(graph.node(use.ref.node)) for use in made.weights]
    payload = made.model.SerializeToString()
    values = lay_out_weights(ort, layouts, weights)
    session = make_session(ort, payload, values, options or OnnxRuntimeOptions())
    feeds = {i.name: np.asarray(v) for i, v in zip(session.get_inputs(), inputs, strict=False)}
    results: list[Any] = session.run(None, feeds)
    return results
