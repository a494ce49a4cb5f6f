"""The engine builder `openvino`: a cluster becomes an ONNX model, compiled by OpenVINO for the CPU."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tfgraft.cache.code import version_of
from tfgraft.graph.views import const_info, const_value
from tfgraft.plugins.int8_rules import Int8Rules
from tfgraft.plugins.openvino.int8 import int8
from tfgraft.plugins.openvino.model import compile_model, reason, weights_as_inputs
from tfgraft.plugins.openvino.options import OpenVinoOptions
from tfgraft.plugins.protocol import Array, BuildContext, BuildError, BuiltEngine, Cluster, Device, Executor
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_QUANTIZED = frozenset({"int8", "uint8"})
"""OpenVINO adds biases to integer convolutions in float32: none is to be made an integer for it."""


@dataclass(frozen=True)
class OpenVinoBuilder:
    """Builds engines for OpenVINO's CPU plugin; see `OpenVinoOptions` for what can be set."""

    name: ClassVar[str] = "openvino"
    converters: ClassVar[tuple[str, ...]] = ("openvino", "onnx")

    @property
    def int8(self) -> Int8Rules:
        """Where tensors are quantized; of weights it depends on the processor how."""
        return int8()

    def available(self) -> Support:
        """Supported if both `openvino` and `onnx` can be imported."""
        for module in ("onnx", "openvino"):
            try:
                importlib.import_module(module)
            except ImportError as error:
                return Unsupported(
                    "no-engine",
                    f"Engine openvino needs the package {module}: {error}.",
                    module,
                    "Install it with: pip install 'tfgraft[cpu,openvino]'.",
                )
        return SUPPORTED

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError naming the first option that is unknown or cannot be."""
        OpenVinoOptions.of(options)

    def cache_key(self, options: Mapping[str, Any]) -> str:
        """Engines are ONNX models, which depend on no device; what is refused depends on OpenVINO."""
        openvino = importlib.import_module("openvino")
        versions = [f"{name}={version_of(name)}" for name in ("onnx", "tf2onnx", "onnxruntime")]
        return " ".join([f"openvino={openvino.__version__}", *versions])

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """Convert the cluster and compile the model once, so that what is built is known to load."""
        from tfgraft.converters.onnx.context import CONTRIB
        from tfgraft.converters.onnx.model import cluster_to_onnx

        openvino = importlib.import_module("openvino")
        options = OpenVinoOptions.of(context.options)
        graph = context.graph
        converted = cluster_to_onnx(
            cluster, graph, context.registry, self.converters, _QUANTIZED, frozenset({CONTRIB}), rewrite=False
        )
        payload = weights_as_inputs(converted.model, [use.name for use in converted.weights])
        index = {ref: i for i, ref in enumerate(cluster.weights)}
        layouts = [
            [use.name, index[use.ref], use.perm, use.shape, use.quantization and use.quantization.to_json()]
            for use in converted.weights
        ]
        weights = [const_value(graph.node(ref.node)) for ref in cluster.weights]
        try:
            compile_model(openvino, payload, layouts, weights, options)
        except Exception as error:  # OpenVINO raises several kinds
            culprit = _culprit(str(error), converted.origins)
            raise BuildError(f"OpenVINO refuses it: {reason(error)}", culprit, "engine-rejected") from error
        return BuiltEngine(
            self.name,
            payload,
            converted.inputs,
            converted.outputs,
            tuple(const_info(graph.node(ref.node)) for ref in cluster.weights),
            {"weights": layouts, "options": options.to_dict(), "openvino": openvino.__version__},
        )

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Executor:
        """Compile the model for this machine's processor; the weights are laid out for ONNX and copied."""
        from tfgraft.plugins.openvino.executor import OpenVinoExecutor

        openvino = importlib.import_module("openvino")
        options = OpenVinoOptions.of(engine.metadata["options"])
        compiled = compile_model(openvino, engine.payload, engine.metadata["weights"], weights, options)
        return OpenVinoExecutor(openvino, compiled, engine.inputs, engine.outputs)


def _culprit(message: str, origins: Mapping[str, str]) -> str | None:
    """Return the TensorFlow node behind the ONNX node that a message of OpenVINO names, the longest name first."""
    for name in sorted(origins, key=len, reverse=True):
        if name in message:
            return origins[name]
    return None
