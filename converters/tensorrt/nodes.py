"""Nodes as layers: each of a cluster, or of a function's body, through its registry entry, in topological order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tfgraft.converters.tensorrt.context import LayerError, TensorRtContext, carrier
from tfgraft.graph.graph import Graph
from tfgraft.graph.opdefs import ARG
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import NodeView
from tfgraft.graph.views import PASS_THROUGH, const_source, node_view
from tfgraft.plugins.protocol import BuildError
from tfgraft.registry.entry import Converter
from tfgraft.registry.support import Unsupported

NO_ENTRIES: Mapping[str, Converter] = {}


def convert_nodes(
    ctx: TensorRtContext, graph: Graph, names: Iterable[str], own: Mapping[str, Converter] = NO_ENTRIES
) -> None:
    """Convert nodes of a graph.

    Args:
        names: in topological order. Constants are taken where they are read.
        own: entries, by op, that come before the registry's; they need not be asked.

    Raises:
        BuildError: a node is refused or its conversion fails; the node is named.
    """
    for name in names:
        node = graph.node(name)
        if node.op in ("Const", ARG) or (node.op in PASS_THROUGH and const_source(graph, TensorRef(name))):
            continue
        ctx.begin(name)
        if node.op in PASS_THROUGH:
            ctx.alias(TensorRef(name), graph.inputs(name)[0])
            continue
        view = node_view(graph, name)
        _convert(ctx, graph, view, own.get(node.op) or _chosen(ctx, view))


def _chosen(ctx: TensorRtContext, view: NodeView) -> Converter:
    resolution = ctx.resolve(view)
    if resolution.chosen is None:
        assert isinstance(resolution.support, Unsupported)
        raise BuildError(str(resolution.support), view.name, resolution.support.code)
    return resolution.chosen


def _convert(ctx: TensorRtContext, graph: Graph, view: NodeView, entry: Converter) -> None:
    try:
        entry.convert(ctx, view)
        _check_outputs(ctx, graph, view)
    except BuildError as error:  # of a node in a function that this one calls
        raise BuildError(f"in {view.op}, at {error.node!r}: {error}", view.name, error.code) from error
    except LayerError as error:
        raise BuildError(f"TensorRT refuses {view.op}: {error}", view.name, "engine-rejected") from error
    except Exception as error:  # a converter, maybe a user's, may fail in any way: the node is named
        text = f"converter {entry.source} failed for {view.op}: {type(error).__name__}: {error}"
        raise BuildError(text, view.name, "conversion-failed") from error


def _check_outputs(ctx: TensorRtContext, graph: Graph, view: NodeView) -> None:
    """Find a converter's mistakes where they are made: TensorRT would tell of them somewhere later."""
    for port in sorted({port for _, _, port in graph.consumers(view.name)}):
        ref = TensorRef(view.name, port)
        if not ctx.is_held(ref):
            raise ValueError(f"it did not set output {port}")
        tensor, info = ctx.any_value(ref), view.outputs[port]
        if tensor is None or info.dtype == "variant":  # made when it is read; a list, its elements have another type
            continue
        if ctx.dtype(tensor) != carrier(info.dtype):
            raise ValueError(f"its output {port} is {ctx.dtype(tensor)}, and TensorFlow's is {info.dtype}")
        if info.rank is not None and len(tensor.shape) != info.rank:
            raise ValueError(f"its output {port} has rank {len(tensor.shape)}, and TensorFlow's has rank {info.rank}")
