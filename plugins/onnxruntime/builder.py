"""The engine builder `onnxruntime`: a cluster becomes an ONNX model, loaded by ONNX Runtime."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import tensorflow as tf

from tfgraft.cache.code import version_of
from tfgraft.graph.view import TensorInfo
from tfgraft.graph.views import const_info, const_value
from tfgraft.plugins.int8_rules import Int8Rules
from tfgraft.plugins.onnxruntime.int8 import INT8
from tfgraft.plugins.onnxruntime.options import CPU, CUDA, OnnxRuntimeOptions
from tfgraft.plugins.onnxruntime.session import lay_out_weights, make_session
from tfgraft.plugins.protocol import (
    Array,
    BuildContext,
    BuildError,
    BuiltEngine,
    Cluster,
    Device,
    DeviceExecutor,
    Executor,
)
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

if TYPE_CHECKING:
    from tfgraft.converters.onnx.model import OnnxModel

_PARALLEL = frozenset(
    {"Conv", "ConvTranspose", "LSTM", "GRU", "RNN", "Loop", "Scan", "MaxPool", "AveragePool", "Resize"}
)
_SPINNING, _BETWEEN_OPS = 1000, 100
"""Microseconds for which threads spin when idle: also in between two calls of the engine, or only inside of it."""
_WORTH_A_THREAD = 1 << 16
"""Elements of a weight or boundary tensor from which on a second thread has something to do."""

_LIGHT_BYTES = 64 << 20
"""An engine of heavier weights gets no sessions by shape: each may hold the weights once more, packed."""


@dataclass(frozen=True)
class OnnxRuntimeBuilder:
    """Builds engines for ONNX Runtime; see `OnnxRuntimeOptions` for what can be set."""

    name: ClassVar[str] = "onnxruntime"
    converters: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx")
    devices: ClassVar[tuple[str, ...]] = ("CPU", "GPU")
    int8: ClassVar[Int8Rules] = INT8

    def available(self) -> Support:
        """Supported if both `onnxruntime` and `onnx` can be imported."""
        for module in ("onnx", "onnxruntime"):
            try:
                importlib.import_module(module)
            except ImportError as error:
                return Unsupported(
                    "no-engine",
                    f"Engine onnxruntime needs the package {module}: {error}.",
                    module,
                    "Install it with: pip install 'tfgraft[cpu]' (or 'tfgraft[gpu]').",
                )
        return SUPPORTED

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError naming the first option that is unknown or cannot be."""
        OnnxRuntimeOptions.of(options)

    def cache_key(self, options: Mapping[str, Any]) -> str:
        """Engines are ONNX models, which depend on no device; what is refused depends on the providers here."""
        ort = importlib.import_module("onnxruntime")
        versions = [f"{name}={version_of(name)}" for name in ("onnx", "tf2onnx")]
        chosen = _with_providers(OnnxRuntimeOptions.of(options), ort).provider_names
        return " ".join([f"onnxruntime={ort.__version__}", *versions, *ort.get_available_providers(), "for", *chosen])

    def devices_of(self, engine: BuiltEngine) -> tuple[str, ...]:
        """Engines with the CUDA provider work in a GPU's memory, but run without one too; others on the CPU alone."""
        return self.devices if OnnxRuntimeOptions.of(engine.metadata["options"]).on_gpu else ("CPU",)

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """Convert the cluster and load the model once, unoptimized, so that what is built is known to load."""
        from tfgraft.converters.onnx.model import cluster_to_onnx

        ort = importlib.import_module("onnxruntime")
        options = _with_providers(OnnxRuntimeOptions.of(context.options), ort)
        if options.spinning is None:
            options = replace(options, spinning=_SPINNING if context.alone else _BETWEEN_OPS)
        converted = cluster_to_onnx(
            cluster,
            context.graph,
            context.registry,
            self.converters,
            domains=options.domains,
            halves=options.on_gpu,
        )
        if options.intra_op_threads != 1 and _is_small(converted):
            options = replace(options, intra_op_threads=1)
        payload = converted.model.SerializeToString()
        index = {ref: i for i, ref in enumerate(cluster.weights)}
        layouts = [
            [use.name, index[use.ref], use.perm, use.shape, use.quantization and use.quantization.to_json()]
            for use in converted.weights
        ]
        weights = [const_value(context.graph.node(ref.node)) for ref in cluster.weights]
        try:
            values = lay_out_weights(ort, layouts, weights)
            # Not on a GPU, where it would take seconds and memory of TensorFlow's.
            trial = replace(
                options, graph_optimization="disable", providers=(CPU,) if options.on_gpu else options.providers
            )
            make_session(ort, payload, values, trial)
        except Exception as error:  # ONNX Runtime raises several kinds of its own
            raise BuildError(
                f"ONNX Runtime refuses it: {_first_line(error)}",
                _culprit(str(error), converted.origins),
                "engine-rejected",
            ) from error
        return BuiltEngine(
            self.name,
            payload,
            converted.inputs,
            converted.outputs,
            tuple(const_info(context.graph.node(ref.node)) for ref in cluster.weights),
            {"weights": layouts, "options": options.to_dict(), "onnxruntime": ort.__version__},
        )

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Executor | DeviceExecutor:
        """Make a session; the weights are laid out for ONNX and copied."""
        from tfgraft.plugins.onnxruntime.by_shape import ByShape, Dims, open_dims
        from tfgraft.plugins.onnxruntime.device import load_on_gpu
        from tfgraft.plugins.onnxruntime.executor import OnnxRuntimeExecutor

        ort = importlib.import_module("onnxruntime")
        options = OnnxRuntimeOptions.of(engine.metadata["options"])
        values = lay_out_weights(ort, engine.metadata["weights"], weights)
        if device.kind == "GPU":
            return load_on_gpu(ort, engine, values, options, device.ordinal)
        session = make_session(ort, engine.payload, values, options)
        dims = open_dims(session)
        light = sum(weight.nbytes for weight in weights) <= _LIGHT_BYTES
        if not options.sessions_by_shape or dims is None or not light:
            return OnnxRuntimeExecutor(session, values, engine.inputs, engine.outputs)
        general = OnnxRuntimeExecutor(session, values, engine.inputs, engine.outputs, lasting=False)

        def make(sizes: Dims) -> OnnxRuntimeExecutor:
            own = make_session(ort, engine.payload, values, options, sizes)
            return OnnxRuntimeExecutor(own, values, (), _outputs_of(own, engine.outputs))

        return ByShape(general, dims, make, options.sessions_by_shape)


def _with_providers(options: OnnxRuntimeOptions, ort: Any) -> OnnxRuntimeOptions:
    """Return the options with providers chosen for this machine, if there are none."""
    if options.providers is not None:
        return options
    on_gpu = CUDA in ort.get_available_providers() and tf.config.list_physical_devices("GPU")
    return replace(options, providers=(CUDA, CPU) if on_gpu else (CPU,))


def _outputs_of(session: Any, outputs: Sequence[TensorInfo]) -> list[TensorInfo]:
    """Return an engine's outputs with the shapes that a session says they have."""
    shapes = [tuple(dim if isinstance(dim, int) else -1 for dim in each.shape) for each in session.get_outputs()]
    return [replace(output, shape=shape) for output, shape in zip(outputs, shapes, strict=True)]


def _is_small(converted: OnnxModel) -> bool:
    """Tell whether an engine has nothing for a second thread to do: waking it would take longer than the work."""
    if any(node.op_type in _PARALLEL for node in converted.model.graph.node):
        return False
    sizes = [math.prod(tensor.dims) for tensor in converted.model.graph.initializer]
    sizes += [math.prod(d for d in i.shape or () if d > 0) for i in (*converted.inputs, *converted.outputs)]
    return max(sizes, default=0) < _WORTH_A_THREAD


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


def _culprit(message: str, origins: Mapping[str, str]) -> str | None:
    """Return the TensorFlow node behind the ONNX node that a message of ONNX Runtime names, the longest name first."""
    for name in sorted(origins, key=len, reverse=True):
        if f"({name})" in message or f"'{name}'" in message or f":{name} " in message:
            return origins[name]
    return None
