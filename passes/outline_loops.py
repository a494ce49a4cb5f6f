"""outline_loops: put a While loop and the tensor lists that only it uses into one function call.

A TensorFlow 2 loop over a sequence is a While node amid TensorList ops, joined by variant tensors that no engine can
exchange. Seen as one call with plain inputs and outputs, it can be asked about, converted (an LSTM loop becomes one
LSTM) and clustered like any other node. A loop that no engine takes is left as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tfgraft.graph.attrs import Attrs, DType, FunctionRef
from tfgraft.graph.dtypes import PLAIN
from tfgraft.graph.functions import LOOPS
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import NodeView
from tfgraft.graph.views import TENSORS, const_source, input_view, tensor_info
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.form_clusters import make_cluster
from tfgraft.passes.segment import segment_function
from tfgraft.passes.tag_support import TAG, Tag, sets_of
from tfgraft.plugins.protocol import Cluster
from tfgraft.registry.support import Supported, Unsupported


@dataclass(frozen=True)
class OutlineLoops:
    """Outlines the loops that the engine supports as a whole; a diagnostic says why others stay."""

    name: ClassVar[str] = "outline_loops"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Outline, in function bodies too."""
        sets = sets_of(ctx.registry, ctx.engine, ctx.options)
        count = ctx.rewrite(graph, lambda one: sum(self._outline(one, region, ctx, sets) for region in _regions(one)))
        return PassResult(count > 0, f"outlined {count} loops")

    def _outline(self, graph: Graph, region: Sequence[str], ctx: PassContext, sets: tuple[str, ...]) -> bool:
        loop = next(name for name in region if graph.node(name).op in LOOPS)
        if reason := _unfit(graph, region):
            ctx.say(self.name, "info", "control-flow", reason, node=loop, function=graph.name)
            return False
        cluster = _as_cluster(graph, region)
        name = graph.library.unique_name("TfGraft_loop")
        function = segment_function(graph, cluster, name)
        graph.library.add(function)
        call = _call(graph, cluster, name, loop)
        infos = tuple(tensor_info(graph, ref) for ref in cluster.outputs)
        inputs = tuple(input_view(graph, ref) for ref in (*cluster.inputs, *cluster.weights))
        resolution = ctx.registry.resolve(NodeView(call, inputs, infos, graph.library), sets)
        if not isinstance(resolution.support, Supported):
            assert isinstance(resolution.support, Unsupported)
            graph.library.remove(name)
            ctx.say(self.name, "info", resolution.support.code, str(resolution.support), node=loop, function=graph.name)
            return False
        controls = dict.fromkeys(c for n in region for c in graph.control_inputs(n) if c not in cluster.nodes)
        with graph.edit() as edit:
            edit.add(call, (*cluster.inputs, *cluster.weights), controls)
            for port, ref in enumerate(cluster.outputs):
                edit.rewire(ref, TensorRef(call.name, port))
            for n in region:
                if any(target not in region for target in graph.control_consumers(n)):
                    edit.rewire_control(n, call.name)
            for n in region:
                edit.remove(n)
        graph.facts.set(TENSORS, call.name, infos)
        return True


def _regions(graph: Graph) -> list[list[str]]:
    """Return, for each loop, its node and all nodes that variant tensors join it to, in topological order."""
    seen: set[str] = set()
    regions = []
    order = {name: i for i, name in enumerate(graph.topological())}
    for node in graph:
        if node.op not in LOOPS or node.name in seen:
            continue
        region, pending = {node.name}, [node.name]
        while pending:
            name = pending.pop()
            joined = [ref.node for ref in graph.inputs(name) if tensor_info(graph, ref).dtype == "variant"]
            joined += [
                target
                for target, _, port in graph.consumers(name)
                if tensor_info(graph, TensorRef(name, port)).dtype == "variant"
            ]
            pending.extend(n for n in joined if n not in region)
            region.update(joined)
        region |= _reversals(graph, region)
        region |= _lengths(graph, region)
        seen |= region
        regions.append(sorted(region, key=lambda name: order.get(name, 0)))
    return regions


def _reversals(graph: Graph, region: set[str]) -> set[str]:
    """Return the nodes that turn a sequence round for the loop alone: its length is that of the sequence before."""
    found: set[str] = set()
    for name in region:
        if graph.node(name).op == "TensorListFromTensor":
            source = graph.inputs(name)[0]
            only = [target for target, _, _ in graph.consumers(source.node)] == [name]
            if graph.node(source.node).op == "ReverseV2" and only:
                found.add(source.node)
    return found


def _lengths(graph: Graph, region: set[str]) -> set[str]:
    """Return the nodes that compute the loop's bounds from the shapes of tensors that the region reads.

    With them inside it can be seen that the loop goes over the whole sequence.
    """
    reads = {ref for name in region for ref in graph.inputs(name) if ref.node not in region}
    found: set[str] = set()
    for ref in reads:
        chain: list[str] = []
        name = ref.node
        while graph.node(name).op in ("Identity", "Cast", "Squeeze", "StridedSlice", "GatherV2"):
            chain.append(name)
            data, *rest = graph.inputs(name)
            if any(const_source(graph, other) is None for other in rest):
                break
            name = data.node
        if tensor_info(graph, ref).rank == 0 and graph.node(name).op == "Shape" and graph.inputs(name)[0] in reads:
            found.update(chain, (name,))
    return found


def _unfit(graph: Graph, region: Sequence[str]) -> str:
    """Say why a region cannot be outlined, or return an empty string."""
    inside = set(region)
    if inside & (graph.fed | {ref.node for ref in graph.fetches} | graph.keep):
        return "The loop, or a tensor list of it, is fed or fetched."
    opdefs = graph.library.opdefs
    for name in region:
        node = graph.node(name)
        if node.op not in LOOPS and opdefs.is_stateful(node.op):
            return f"The loop uses {node.op}, which has state."
        for ref in graph.inputs(name):
            if ref.node not in inside and tensor_info(graph, ref).dtype not in PLAIN:
                return f"The loop reads a value of type {tensor_info(graph, ref).dtype}."
    functions = graph.library.reachable(graph.node(name) for name in region)
    for function in functions:
        for node_def in graph.library.get(function).node_def:
            if (
                node_def.op not in LOOPS
                and node_def.op not in ("If", "PartitionedCall")
                and opdefs.is_stateful(node_def.op)
            ):
                return f"The loop's body uses {node_def.op}, which has state."
    if not _convex(graph, inside):
        return "Something outside the loop lies between its parts."
    return ""


def _convex(graph: Graph, inside: set[str]) -> bool:
    pending = [s for name in inside for s in graph.successors(name) if s not in inside]
    seen = set(pending)
    while pending:
        for after in graph.successors(pending.pop()):
            if after in inside:
                return False
            if after not in seen:
                seen.add(after)
                pending.append(after)
    return True


def _as_cluster(graph: Graph, region: Sequence[str]) -> Cluster:
    for name in region:
        graph.facts.set(TAG, name, Tag("candidate"))
    return make_cluster(graph, region, "loop", "")


def _call(graph: Graph, cluster: Cluster, function: str, loop: str) -> Node:
    def types(refs: Iterable[TensorRef]) -> tuple[DType, ...]:
        return tuple(DType(tensor_info(graph, ref).dtype) for ref in refs)

    attrs = Attrs(
        {
            "Tin": types((*cluster.inputs, *cluster.weights)),
            "Tout": types(cluster.outputs),
            "f": FunctionRef(function),
            "config": "",
            "config_proto": "",
            "executor_type": "",
        }
    )
    stateful = any(graph.node(name).op == "While" for name in cluster.nodes)
    op = "StatefulPartitionedCall" if stateful else "PartitionedCall"
    return Node(graph.unique_name(f"{loop}/outlined"), op, graph.node(loop).device, attrs)
