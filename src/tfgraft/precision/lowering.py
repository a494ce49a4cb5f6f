"""What layers read in lower precision, put beside what they read in float32, for a switchboard."""

from __future__ import annotations

from collections.abc import Iterable

from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.edit import GraphEdit
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import tensor_info
from tfgraft.load.model import LoadedModel
from tfgraft.passes.autocast import Autocast
from tfgraft.passes.base import PassContext
from tfgraft.passes.form_clusters import CLUSTER
from tfgraft.passes.quantize import Quantize, quantized_values
from tfgraft.passes.quantize_plan import plan_quantization
from tfgraft.passes.regroup import PRECISION
from tfgraft.precision.switchboard import Place, Switchboard, make_switchboard

_TYPES = {"FP16": "float16", "BF16": "bfloat16"}


def lower(graph: Graph, ctx: PassContext, loaded: LoadedModel, step: Quantize | Autocast) -> Switchboard | None:
    """Return a switchboard of the layers that a pass would compute in lower precision; None if there is none.

    Args:
        graph: a graph with clusters formed, as the pass would get it. It is used up.
        ctx: with the calibration's table, where the pass needs one.
    """
    return _quantized(graph, ctx, loaded, step) if isinstance(step, Quantize) else _half(graph, ctx, loaded, step)


def _copy(graph: Graph) -> Graph:
    return from_graph_def(to_graph_def(graph), feeds=graph.feeds, fetches=graph.fetches)


def _quantized(graph: Graph, ctx: PassContext, loaded: LoadedModel, step: Quantize) -> Switchboard | None:
    plan, ranges = step.plan(graph, ctx)
    if not plan.layers:
        return None
    rules = ctx.int8_rules()
    clusters = graph.facts.table(CLUSTER)

    def on(keep: frozenset[str]) -> Iterable[Place]:
        # A layer that is kept changes what its neighbours read: hence a plan of its own.
        chosen = plan_quantization(graph, rules, lambda name: bool(clusters.get(name)), keep | plan.refusals.keys())
        yield from ((kernel.node, kernel.slot) for kernel in chosen.kernels)
        for point in chosen.points.values():
            yield from point.readers

    board = _copy(graph)
    with board.edit() as edit:
        lowered = quantized_values(board, edit, plan, ranges, {})
    return make_switchboard(board, loaded, plan.layers, lowered, on)


def _half(graph: Graph, ctx: PassContext, loaded: LoadedModel, step: Autocast) -> Switchboard | None:
    board = _copy(graph)
    infos = {
        (node.name, slot): tensor_info(graph, ref).dtype
        for node in graph
        for slot, ref in enumerate(graph.inputs(node.name))
    }
    step.run(graph, ctx)
    precisions = ctx.results[PRECISION]
    layers = [node.name for node in board if precisions.get(("", node.name)) in _TYPES]
    places = [(name, slot) for name in layers for slot in range(len(board.inputs(name)))]
    places = [place for place in places if infos[place] == "float32"]
    if not places:
        return None
    with board.edit() as edit:
        rounded: dict[TensorRef, TensorRef] = {}
        for name, slot in places:
            ref = board.inputs(name)[slot]
            if ref not in rounded:
                rounded[ref] = _rounded(board, edit, ref, _TYPES[step.precision])
        lowered = {(name, slot): rounded[board.inputs(name)[slot]] for name, slot in places}

    def on(keep: frozenset[str]) -> Iterable[Place]:
        return (place for place in places if place[0] not in keep)

    return make_switchboard(board, loaded, layers, lowered, on)


def _rounded(graph: Graph, edit: GraphEdit, ref: TensorRef, dtype: str) -> TensorRef:
    """Add casts to a half type and back."""
    name = graph.unique_name(f"{ref.node}_{ref.port}/rounded")
    there = {"SrcT": DType("float32"), "DstT": DType(dtype), "Truncate": False}
    back = {"SrcT": DType(dtype), "DstT": DType("float32"), "Truncate": False}
    edit.add(Node(f"{name}/there", "Cast", attrs=Attrs(there)), [ref])
    edit.add(Node(name, "Cast", attrs=Attrs(back)), [TensorRef(f"{name}/there")])
    return TensorRef(name)
