"""The engine builder `reference`: the network that `tensorrt` would build, run by the interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tfgraft.graph.views import const_info
from tfgraft.plugins.protocol import Array, BuildContext, BuildError, BuiltEngine, Cluster, Device, Executor
from tfgraft.plugins.reference.options import ReferenceOptions
from tfgraft.plugins.tensorrt.flavour import NoTensorRt, available, find_flavour
from tfgraft.registry.support import Support


@dataclass(frozen=True)
class ReferenceBuilder:
    """Builds engines that run anywhere, in numpy, with TensorRT's numbers; see `ReferenceOptions`.

    TensorRT (of either flavour) is needed to build an engine, and not to run it.
    """

    name: ClassVar[str] = "reference"
    converters: ClassVar[tuple[str, ...]] = ("reference", "tensorrt")

    def available(self) -> Support:
        """Supported if a flavour of TensorRT can be imported."""
        return available()

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError naming the first option that is unknown or cannot be."""
        ReferenceOptions.of(options)

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """Convert the cluster, read the network back and serialize it with all its weights."""
        from tfgraft.converters.tensorrt.model import cluster_to_network
        from tfgraft.plugins.reference.check import refusal
        from tfgraft.plugins.reference.read import read_network
        from tfgraft.plugins.reference.serialize import to_bytes
        from tfgraft.plugins.tensorrt.log import process_logger

        options = ReferenceOptions.of(context.options)
        flavour, trt = _flavour(options.flavour)
        log = process_logger(trt)
        builder = trt.Builder(log)
        # An engine of the interpreter takes what one of TensorRT takes, so it asks for TensorRT's converters too.
        made = cluster_to_network(cluster, context.graph, context.registry, self.converters, trt, builder, log.take)
        payload = to_bytes(read_network(trt, made.network, made.unreadable))
        if options.check_build and flavour == "tensorrt_rtx":
            reason = refusal(trt, builder, made.network, log)
            if reason:
                raise BuildError(f"TensorRT refuses it: {reason}", _culprit(reason, made.origins), "engine-rejected")
        return BuiltEngine(
            self.name,
            payload,
            made.inputs,
            made.outputs,
            tuple(const_info(context.graph.node(ref.node)) for ref in cluster.weights),
            {"options": options.to_dict(), flavour: str(trt.__version__)},
        )

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Executor:
        """Make an interpreter; the weights are in the payload already."""
        from tfgraft.plugins.reference.executor import ReferenceExecutor
        from tfgraft.plugins.reference.interpreter import Interpreter
        from tfgraft.plugins.reference.serialize import from_bytes

        return ReferenceExecutor(Interpreter(from_bytes(engine.payload)))


def _flavour(wanted: str | None) -> tuple[str, Any]:
    """Return TensorRT-RTX if nothing else is wanted and it is installed: it builds without a GPU."""
    try:
        return find_flavour(wanted or "tensorrt_rtx")
    except NoTensorRt as error:
        try:
            return find_flavour(wanted)
        except NoTensorRt:
            raise BuildError(str(error), None, "no-engine") from error


def _culprit(reason: str, origins: Mapping[str, str]) -> str | None:
    """Return the TensorFlow node behind the layer that TensorRT names, the longest name first."""
    for name in sorted(origins, key=len, reverse=True):
        if name in reason:
            return origins[name]
    return None
