"""A cluster as an ONNX model: every node through its registry entry, in topological order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tfgraft.converters.onnx.context import CONTRIB, OnnxContext, WeightUse
from tfgraft.converters.onnx.fusions.attention import fuse_attention
from tfgraft.converters.onnx.fusions.clip import fuse_clip
from tfgraft.converters.onnx.fusions.dense import fuse_dense
from tfgraft.converters.onnx.fusions.gelu import fuse_gelu
from tfgraft.converters.onnx.fusions.hard_swish import fuse_hard_swish
from tfgraft.converters.onnx.fusions.integer_bias import fuse_integer_bias
from tfgraft.converters.onnx.fusions.layer_norm import fuse_layer_norm
from tfgraft.converters.onnx.fusions.own_integers import own_integers
from tfgraft.converters.onnx.fusions.pad import fuse_pad
from tfgraft.converters.onnx.fusions.prelu import fuse_prelu
from tfgraft.converters.onnx.fusions.quantized_average import fuse_quantized_average
from tfgraft.converters.onnx.fusions.quantized_pad import fuse_quantized_pad
from tfgraft.converters.onnx.fusions.quantized_stride import fuse_quantized_stride
from tfgraft.converters.onnx.fusions.rewriter import Rewriter
from tfgraft.converters.onnx.fusions.shapes import Dims, inferred_shapes
from tfgraft.converters.orders import UNIT
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import NodeView, TensorInfo
from tfgraft.graph.views import PASS_THROUGH, const_info, const_source, const_value, node_view, tensor_info
from tfgraft.plugins.protocol import BuildError, Cluster
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Unsupported

Fusion = Callable[[Rewriter], int]
_HALF_FUSIONS = frozenset({fuse_dense, fuse_gelu, fuse_attention})
"""Those that rewrite float16 too, where asked to."""
_FUSIONS = (fuse_dense, fuse_layer_norm, fuse_clip, fuse_prelu, fuse_hard_swish, fuse_pad)
_CONTRIB_FUSIONS = (fuse_gelu, fuse_attention)
"""Rewrites as nodes of `CONTRIB`."""
_INTEGER_FUSIONS = (fuse_quantized_pad, fuse_quantized_average, fuse_integer_bias)
_FUSIONS_FOR_ALL = (fuse_dense, fuse_layer_norm, fuse_quantized_pad, fuse_pad, fuse_quantized_stride)
"""What OpenVINO does not do by itself, or not between quantized tensors."""


@dataclass(frozen=True)
class OnnxModel:
    """A cluster as ONNX.

    Args:
        model: the `ModelProto`; its inputs are the cluster's in order, its outputs too.
        weights: the initializers that are filled when the model is loaded.
        origins: the TensorFlow node behind each ONNX node, by name.
        inputs, outputs: types and shapes of the cluster's data inputs and outputs.
    """

    model: Any
    weights: tuple[WeightUse, ...]
    origins: Mapping[str, str]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


def cluster_to_onnx(
    cluster: Cluster,
    graph: Graph,
    registry: Registry,
    sets: tuple[str, ...],
    quantized: frozenset[str] = frozenset({"int8", "uint8", "int32"}),
    domains: frozenset[str] = frozenset(),
    rewrite: bool = True,
    halves: bool = False,
) -> OnnxModel:
    """Convert a cluster of a graph.

    Args:
        sets: the converter sets to ask, strongest first.
        quantized: the integer types that whoever loads the model takes between QuantizeLinear and DequantizeLinear.
        domains: whose ops it takes besides those of ONNX; `CONTRIB` is the one that matters.
        rewrite: whether to rewrite what ONNX Runtime alone runs faster in another form. Other engines know most of the
            usual forms, and fuse them by themselves.
        halves: whether to rewrite float16 too, which is for those who have kernels in it.

    Raises:
        BuildError: a node is refused or its conversion fails; the node is named.
    """
    ctx = OnnxContext({ref: const_info(graph.node(ref.node)) for ref in cluster.weights}, quantized)
    inputs = []
    for i, ref in enumerate(cluster.inputs):
        name = f"input_{i}"
        inputs.append(ctx.value_info(name, tensor_info(graph, ref)))
        ctx.hold(ref, name)
    for name in cluster.nodes:
        _convert(ctx, graph, registry, sets, name)
    outputs, results = [], []
    for i, ref in enumerate(cluster.outputs):
        ctx.begin(ref.node)
        info = tensor_info(graph, ref)
        results.append(ctx.value(ref))
        ctx.node("Identity", [results[-1]])
        ctx.nodes[-1].output[0] = f"output_{i}"
        outputs.append(ctx.value_info(f"output_{i}", info))
    fusions = _fusions_of_ort(ctx, domains) if rewrite else _fusions_of_others(domains)
    shapes = _fuse(ctx, graph, inputs, outputs, fusions, halves)
    own_integers(ctx)
    ctx.drop_unread(output.name for output in outputs)
    return OnnxModel(
        ctx.model(inputs, outputs),
        tuple(ctx.weight_uses),
        ctx.origins,
        tuple(tensor_info(graph, ref) for ref in cluster.inputs),
        tuple(
            _better_known(tensor_info(graph, ref), shapes.get(value))
            for ref, value in zip(cluster.outputs, results, strict=True)
        ),
    )


def _better_known(info: TensorInfo, shape: Dims | None) -> TensorInfo:
    """Return a tensor with those sizes from its ONNX shape that TensorFlow does not know.

    Which unknown sizes are equal tells the runtime how large outputs are before the engine runs.
    """
    if shape is None or info.shape is None or len(shape) != len(info.shape):
        return info
    return replace(info, shape=tuple(b if a < 0 and b != -1 else a for a, b in zip(info.shape, shape, strict=True)))


def _fusions_of_ort(ctx: OnnxContext, domains: frozenset[str]) -> tuple[Fusion, ...]:
    integer = _INTEGER_FUSIONS if "int32" in ctx.quantized else ()
    return (*_FUSIONS, *(_CONTRIB_FUSIONS if CONTRIB in domains else ()), *integer)


def _fusions_of_others(domains: frozenset[str]) -> tuple[Fusion, ...]:
    return (*_FUSIONS_FOR_ALL, *((fuse_gelu,) if CONTRIB in domains else ()))


def _fuse(
    ctx: OnnxContext,
    graph: Graph,
    inputs: list[Any],
    outputs: list[Any],
    fusions: tuple[Fusion, ...],
    halves: bool,
) -> dict[str, Dims]:
    """Rewrite what runs faster in another form; float32 only, where that was measured, unless `halves`.

    Returns:
        the shapes of values as far as they are known.
    """
    shapes: dict[str, Dims] = {}
    half: dict[str, Dims] = {}
    taken = [0]
    for name, (ref, perm) in ctx.held_values().items():
        info = tensor_info(graph, ref)
        table = shapes if info.dtype == "float32" else half if halves and info.dtype == "float16" else None
        taken.extend(info.shape or ())
        if table is not None and info.shape is not None:
            order = range(len(info.shape)) if perm is None else perm
            table[name] = tuple(1 if d == UNIT else info.shape[d] for d in order)
    if fuse_dense in fusions and any(node.op_type == "MatMul" for node in ctx.nodes):
        shapes, half = inferred_shapes(ctx, inputs, outputs, shapes, half, min(taken))
    known = {**shapes, **half}
    for fuse in fusions:
        of_half = fuse in _HALF_FUSIONS
        rewriter = Rewriter(
            ctx, known if of_half else shapes, lambda ref: const_value(graph.node(ref.node)), half if of_half else ()
        )
        if fuse(rewriter):
            rewriter.finish()
            ctx.drop_unread(output.name for output in outputs)
    return known


def _convert(ctx: OnnxContext, graph: Graph, registry: Registry, sets: tuple[str, ...], name: str) -> None:
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
    except Exception as error:  # a converter, maybe a user's, may fail in any way: the node is named
        reason = f"converter {resolution.chosen.source} failed for {view.op}: {type(error).__name__}: {error}"
        raise BuildError(reason, name, "conversion-failed") from error


def _check_outputs(ctx: OnnxContext, graph: Graph, view: NodeView) -> None:
    read = {port for _, _, port in graph.consumers(view.name)}
    missing = [port for port in sorted(read) if not ctx.is_held(TensorRef(view.name, port))]
    if missing:
        raise ValueError(f"it did not set output {missing[0]}")
