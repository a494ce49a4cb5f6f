"""The engine builder `litert`: a cluster becomes a LiteRT model, by TensorFlow's own converter."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tfgraft.cache.code import version_of
from tfgraft.graph.views import const_info, const_value, tensor_info
from tfgraft.plugins.litert.convert import Failure, Job
from tfgraft.plugins.litert.options import LiteRtOptions
from tfgraft.plugins.litert.process import converter_process
from tfgraft.plugins.litert.weights import cut, paste
from tfgraft.plugins.protocol import Array, BuildContext, BuildError, BuiltEngine, Cluster, Device, Executor
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_PACKAGE = "ai_edge_litert"


@dataclass(frozen=True)
class LiteRtBuilder:
    """Builds engines for LiteRT; see `LiteRtOptions` for what can be set.

    The model is made of the cluster as a whole; the registry's entries of the set "litert" say what the converter
    takes.
    """

    name: ClassVar[str] = "litert"
    converters: ClassVar[tuple[str, ...]] = ("litert",)

    def available(self) -> Support:
        """Supported if `ai_edge_litert` can be imported, and TensorFlow has a converter for it."""
        try:
            importlib.import_module(f"{_PACKAGE}.interpreter")
        except ImportError as error:
            return Unsupported(
                "no-engine",
                f"Engine litert needs the package ai-edge-litert: {error}.",
                _PACKAGE,
                "Install it with: pip install 'tfgraft[cpu,litert]'.",
            )
        return SUPPORTED

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError naming the first option that is unknown or cannot be."""
        LiteRtOptions.of(options)

    def cache_key(self, options: Mapping[str, Any]) -> str:
        """Models depend on TensorFlow, which converts them and always counts; what can be run depends on LiteRT."""
        return f"ai-edge-litert={version_of('ai-edge-litert')}"

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """Convert the cluster in another process, which loads and runs the model once.

        Raises:
            BuildError: the converter refuses it, crashes or takes too long; with all nodes that it names.
        """
        from tfgraft.plugins.litert.graph import cluster_graph

        options = LiteRtOptions.of(context.options)
        graph = context.graph
        graph_def, inputs, outputs = cluster_graph(cluster, graph)
        try:
            serialized = graph_def.SerializeToString()
        except Exception as error:  # protobuf raises several kinds; a message has at most 2 GiB
            raise BuildError(f"the cluster is too large for LiteRT's converter: {error}") from error
        made = converter_process().convert(Job(serialized, tuple(inputs), tuple(outputs)), options.timeout)
        if isinstance(made, Failure):
            node, _ = made.nodes[0] if made.nodes else (None, "")
            raise BuildError(made.message, node, "engine-rejected", dict(made.nodes[1:]), made.lasting)
        weights = [const_value(graph.node(ref.node)) for ref in cluster.weights]
        payload, pieces = cut(made.model, weights)
        return BuiltEngine(
            self.name,
            payload,
            tuple(tensor_info(graph, ref) for ref in cluster.inputs),
            tuple(tensor_info(graph, ref) for ref in cluster.outputs),
            tuple(const_info(graph.node(ref.node)) for ref in cluster.weights),
            {"pieces": pieces, "order": list(made.order), "options": options.to_dict()},
        )

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Executor:
        """Put the weights into the model; interpreters are made when shapes are known."""
        from tfgraft.plugins.litert.executor import LiteRtExecutor

        options = LiteRtOptions.of(engine.metadata["options"])
        model = paste(engine.payload, engine.metadata["pieces"], weights)
        order = engine.metadata["order"]
        return LiteRtExecutor(
            model, order, engine.inputs, engine.outputs, options.threads, options.maximum_interpreters
        )
