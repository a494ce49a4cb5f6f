"""The engine builder `reference`: the network that `tensorrt` would build, run by the interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from tfgraft.graph.views import const_info, tensor_info
from tfgraft.plugins.int8_rules import Int8Rules
from tfgraft.plugins.protocol import Array, BuildContext, BuildError, BuiltEngine, Cluster, Device, Executor
from tfgraft.plugins.reference.options import ReferenceOptions
from tfgraft.plugins.tensorrt.builder import TensorRtBuilder
from tfgraft.registry.support import Support


@dataclass(frozen=True)
class ReferenceBuilder:
    """Builds engines that run anywhere, in numpy, with TensorRT's numbers; see `ReferenceOptions`.

    TensorRT (of either flavour) is needed to build an engine, and not to run it.
    """

    name: ClassVar[str] = "reference"
    automatic: ClassVar[bool] = False
    """It is there to check numbers, not for speed."""
    converters: ClassVar[tuple[str, ...]] = TensorRtBuilder.converters
    int8: ClassVar[Int8Rules] = TensorRtBuilder.int8

    def converter_sets(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the converter sets of the route that the options choose."""
        return TensorRtBuilder().converter_sets(ReferenceOptions.of(options).tensorrt)

    def available(self) -> Support:
        """Supported if a flavour of TensorRT can be imported."""
        return TensorRtBuilder().available()

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError naming the first option that is unknown or cannot be."""
        ReferenceOptions.of(options)

    def cache_key(self, options: Mapping[str, Any]) -> str | None:
        """Return what TensorRT's engines depend on: it is asked whether it would build them."""
        return TensorRtBuilder().cache_key(ReferenceOptions.of(options).tensorrt)

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """Let TensorRT build the cluster, read the network back and serialize it with all its weights."""
        from tfgraft.plugins.reference.read import UnreadableNetwork, read_network
        from tfgraft.plugins.reference.serialize import to_bytes
        from tfgraft.plugins.tensorrt.flavour import find_flavour
        from tfgraft.plugins.tensorrt.log import process_logger
        from tfgraft.plugins.tensorrt.options import TensorRtOptions
        from tfgraft.plugins.tensorrt.sources import NativeSource, onnx_source

        options = ReferenceOptions.of(context.options)
        statistics: Mapping[str, Any] = {}
        if options.check_build:
            statistics = TensorRtBuilder().build(cluster, replace(context, options=options.tensorrt)).statistics
        chosen = TensorRtOptions.of(options.tensorrt)
        source: Any = NativeSource(cluster, context.graph, context.registry)
        if chosen.route == "onnx":
            source = onnx_source(cluster, context)
        flavour, trt = find_flavour(chosen.flavour)
        logger = process_logger(trt)
        made = source.make(trt, trt.Builder(logger), logger)
        try:
            payload = to_bytes(read_network(trt, made.network, getattr(made.keep, "unreadable", None)))
        except UnreadableNetwork as error:
            raise BuildError(str(error), None, "unreadable-weights") from error
        graph = context.graph
        return BuiltEngine(
            self.name,
            payload,
            tuple(tensor_info(graph, ref) for ref in cluster.inputs),
            tuple(tensor_info(graph, ref) for ref in cluster.outputs),
            tuple(const_info(graph.node(ref.node)) for ref in cluster.weights),
            {"flavour": flavour, "version": str(trt.__version__), "route": chosen.route},
            statistics,
        )

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Executor:
        """Make an interpreter; the weights are in the payload already."""
        from tfgraft.plugins.reference.executor import ReferenceExecutor
        from tfgraft.plugins.reference.interpreter import Interpreter
        from tfgraft.plugins.reference.serialize import from_bytes

        return ReferenceExecutor(Interpreter(from_bytes(engine.payload)))
