"""A cluster as a TensorRT network: its inputs, its nodes and its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tfgraft.converters.tensorrt.context import SMALL, LayerError, TensorRtContext, carrier
from tfgraft.converters.tensorrt.nodes import convert_nodes
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import TensorInfo
from tfgraft.graph.views import tensor_info
from tfgraft.plugins.protocol import BuildError, Cluster
from tfgraft.registry.registry import Registry


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
    network = builder.create_network(_strongly_typed(trt))
    ctx = TensorRtContext(trt, network, reason, lambda view: registry.resolve(view, sets))
    inputs = tuple(tensor_info(graph, ref) for ref in cluster.inputs)
    for i, (ref, info) in enumerate(zip(cluster.inputs, inputs, strict=True)):
        ctx.hold(ref, _input(ctx, f"input_{i}", ref, info))
    convert_nodes(ctx, graph, cluster.nodes)
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
