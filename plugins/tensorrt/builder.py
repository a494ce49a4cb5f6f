"""The engine builder `tensorrt`: a cluster becomes a TensorRT network, and the network a serialized engine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tfgraft.graph.views import const_info, tensor_info
from tfgraft.plugins.int8_rules import Int8Rules
from tfgraft.plugins.protocol import (
    Array,
    BuildContext,
    BuildError,
    BuiltEngine,
    Cluster,
    Device,
    DeviceExecutor,
    OptionError,
)
from tfgraft.plugins.tensorrt.flavour import NoTensorRt, available, find_flavour
from tfgraft.plugins.tensorrt.int8 import INT8
from tfgraft.plugins.tensorrt.isolate import make_plan_isolated
from tfgraft.plugins.tensorrt.log import process_logger
from tfgraft.plugins.tensorrt.onnx_model import OnnxSource
from tfgraft.plugins.tensorrt.options import TensorRtOptions
from tfgraft.plugins.tensorrt.plan import Source, make_plan
from tfgraft.plugins.tensorrt.shapes import profiles_of
from tfgraft.plugins.tensorrt.sources import SETS, NativeSource, onnx_source
from tfgraft.registry.support import Support, Unsupported

_NO_LAYER = "has no runners that implement it"


@dataclass(frozen=True)
class TensorRtBuilder:
    """Builds engines for TensorRT and TensorRT-RTX; see `TensorRtOptions` for what can be set.

    TensorRT-RTX builds without a GPU. The weights are part of the engine; those that are inputs of the engine node are
    for the native segment.
    """

    name: ClassVar[str] = "tensorrt"
    converters: ClassVar[tuple[str, ...]] = SETS["native"]
    devices: ClassVar[tuple[str, ...]] = ("GPU",)
    int8: ClassVar[Int8Rules] = INT8

    def converter_sets(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the converter sets of the route that the options choose."""
        return SETS[TensorRtOptions.of(options).route]

    def available(self) -> Support:
        """Supported if one of the packages can be imported."""
        return available()

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError naming the first option that is unknown or cannot be."""
        TensorRtOptions.of(options)

    def cache_key(self, options: Mapping[str, Any]) -> str | None:
        """Engines are for one version of TensorRT, and for the GPU that is here unless the options name others."""
        from tfgraft.runtime.cuda import devices_here  # the runtime registers its op, for which building has no need

        chosen = TensorRtOptions.of(options)
        try:
            flavour, trt = find_flavour(chosen.flavour)
        except NoTensorRt:  # the build says it better
            return None
        return f"{flavour} {trt.__version__} {'' if chosen.compute_capabilities else devices_here()}"

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """Convert the cluster, build the network, serialize the engine."""
        start = time.perf_counter()
        options = TensorRtOptions.of(context.options)
        if isinstance(refusal := available(options.flavour), Unsupported):
            raise OptionError(str(refusal))
        graph = context.graph
        source: Source
        if options.route == "onnx":
            source = onnx_source(cluster, context)
        else:
            source = NativeSource(cluster, graph, context.registry)
        _check_ranks(cluster, context)
        profiles = profiles_of(cluster.inputs, graph, options)
        make = make_plan_isolated if _isolated(source, options) else make_plan
        try:
            plan = make(source, profiles, options)
        except BuildError as error:
            raise _with_alike(error, cluster, context) from error
        return BuiltEngine(
            self.name,
            plan.payload,
            tuple(tensor_info(graph, ref) for ref in cluster.inputs),
            tuple(tensor_info(graph, ref) for ref in cluster.outputs),
            tuple(const_info(graph.node(ref.node)) for ref in cluster.weights),
            {**plan.metadata, "route": options.route, "options": _lasting(options)},
            {"seconds": round(time.perf_counter() - start, 3), **plan.statistics},
        )

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> DeviceExecutor:
        """Deserialize the engine for the current device.

        Raises:
            EngineRefused: the device or this version of TensorRT does not take it.
            NoTensorRt: the flavour that built it is not installed.
        """
        from tfgraft.plugins.tensorrt.loading import load_engine

        return load_engine(engine)


def _lasting(options: TensorRtOptions) -> dict[str, Any]:
    """Return the options that make a difference to the engine, for its metadata."""
    how = ("timing_cache", "isolate", "timeout", "profiles", "observed", "values")
    return {name: value for name, value in options.to_dict().items() if name not in how}


def _isolated(source: Source, options: TensorRtOptions) -> bool:
    if options.isolate is not None or not isinstance(source, OnnxSource):
        return bool(options.isolate)
    _, trt = find_flavour(options.flavour)
    logger = process_logger(trt)
    return source.may_abort(trt, trt.Builder(logger), logger)


def _with_alike(error: BuildError, cluster: Cluster, context: BuildContext) -> BuildError:
    """Name all nodes of the culprit's op where TensorRT has no such layer at all: each attempt costs a build."""
    if error.node is None or _NO_LAYER not in str(error):
        return error
    op = context.graph.node(error.node).op
    alike = {name: str(error) for name in cluster.nodes if context.graph.node(name).op == op and name != error.node}
    return BuildError(str(error), error.node, error.code, {**alike, **error.others}, error.lasting)


def _check_ranks(cluster: Cluster, context: BuildContext) -> None:
    for ref in cluster.inputs:
        if tensor_info(context.graph, ref).shape is None:
            raise BuildError(f"the rank of input {ref} is not known, and TensorRT needs it; give input_shapes")
