"""A cluster as a TensorRT network: every node through its registry entry, in topological order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tfgraft.converters.tensorrt.context import SMALL, LayerError, TensorRtContext, carrier
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import NodeView, TensorInfo
from tfgraft.graph.views import PASS_THROUGH, const_source, node_view, tensor_info
from tfgraft.plugins.protocol import BuildError, Cluster
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Unsupported


@dataclass(frozen=True)
class TensorRtNetwork:
    """A cluster as a network, ready to be built.

    Args:
        network: the `INetworkDefinition`; its inputs are named input_0, input_1, ..., its outputs output_0, ...
        inputs, outputs: types and shapes of the cluster's data inputs and outputs.
        origins: the TensorFlow node behind each layer, by the layer's name.
        unreadable: values of constants that TensorRT does not give back, by the layer's name.
        context: keeps the memory of the weights alive.
    """

    network: Any
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    origins: Mapping[str, str]
    unreadable: Mapping[str, NDArray[Any]]
    context: TensorRtContext


def cluster_to_network(
    cluster: Cluster,
    graph: Graph,
    registry: Registry,
    sets: tuple[str, ...],
    trt: Any,
    builder: Any,
    reason: Callable[[], str],
) -> TensorRtNetwork:
    """Convert a cluster of a graph.

    Args:
        sets: the converter sets to ask, strongest first.
        trt: the module, `tensorrt` or `tensorrt_rtx`.
        builder: an `IBuilder`.
        reason: see `TensorRtContext`.

    Raises:
        BuildError: a node is refused or its conversion fails; the node is named.
    """
    ctx = TensorRtContext(trt, builder.create_network(_strongly_typed(trt)), reason)
    inputs = tuple(tensor_info(graph, ref) for ref in cluster.inputs)
    for i, (ref, info) in enumerate(zip(cluster.inputs, inputs, strict=True)):
        ctx.hold(ref, _input(ctx, f"input_{i}", ref, info))
    for name in cluster.nodes:
        _convert(ctx, graph, registry, sets, name)
    outputs = tuple(tensor_info(graph, ref) for ref in cluster.outputs)
    for i, ref in enumerate(cluster.outputs):
        ctx.begin(ref.node)
        value = ctx.value(ref)
        # A tensor can be one output only, and no input.
        small = outputs[i].dtype in SMALL
        result = ctx.add("cast", value, ctx.type(outputs[i].dtype)) if small else ctx.add("identity", value)
        result.name = f"output_{i}"
        ctx.network.mark_output(result)
    return TensorRtNetwork(ctx.network, inputs, outputs, ctx.origins, ctx.unreadable, ctx)


def _strongly_typed(trt: Any) -> int:
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)  # later releases know no other networks


def _input(ctx: TensorRtContext, name: str, ref: TensorRef, info: TensorInfo) -> Any:
    if info.shape is None:
        raise BuildError(
            f"the rank of input {ref} is not known, and TensorRT needs it; give input_shapes", ref.node, "unknown-rank"
        )
    try:
        tensor = ctx.network.add_input(name, ctx.type(info.dtype), tuple(max(d, -1) for d in info.shape))
    except LayerError as error:
        raise BuildError(f"input {ref}: {error}", ref.node, "dtype") from error
    names: dict[int, str] = {k: f"d{-d}" for k, d in enumerate(info.shape) if d < -1}
    for axis, text in names.items():  # equal names tell TensorRT that dimensions are equal
        tensor.set_dimension_name(axis, text)
    ctx.begin(ref.node)
    return ctx.cast(tensor, carrier(info.dtype))


def _convert(ctx: TensorRtContext, graph: Graph, registry: Registry, sets: tuple[str, ...], name: str) -> None:
    node = graph.node(name)
    if node.op == "Const" or (node.op in PASS_THROUGH and const_source(graph, TensorRef(name))):
        return  # taken where it is read
    ctx.begin(name)
    if node.op in PASS_THROUGH:
        ctx.alias(TensorRef(name), graph.inputs(name)[0])
        return
    view = node_view(graph, name)
    resolution = registry.resolve(view, sets)
    if resolution.chosen is None:
        assert isinstance(resolution.support, Unsupported)
        raise BuildError(str(resolution.support), name, resolution.support.code)
    try:
        resolution.chosen.convert(ctx, view)
        _check_outputs(ctx, graph, view)
    except BuildError:
        raise
    except LayerError as error:
        raise BuildError(f"TensorRT refuses {view.op}: {error}", name, "engine-rejected") from error
    except Exception as error:  # a converter, maybe a user's, may fail in any way: the node is named
        text = f"converter {resolution.chosen.source} failed for {view.op}: {type(error).__name__}: {error}"
        raise BuildError(text, name, "conversion-failed") from error


def _check_outputs(ctx: TensorRtContext, graph: Graph, view: NodeView) -> None:
    """Find a converter's mistakes where they are made: TensorRT would tell of them somewhere later."""
    for port in sorted({port for _, _, port in graph.consumers(view.name)}):
        ref = TensorRef(view.name, port)
        if not ctx.is_held(ref):
            raise ValueError(f"it did not set output {port}")
        tensor, info = ctx.any_value(ref), view.outputs[port]
        if ctx.dtype(tensor) != carrier(info.dtype):
            raise ValueError(f"its output {port} is {ctx.dtype(tensor)}, and TensorFlow's is {info.dtype}")
        if info.rank is not None and len(tensor.shape) != info.rank:
            raise ValueError(f"its output {port} has rank {len(tensor.shape)}, and TensorFlow's has rank {info.rank}")
