"""replace_clusters: put an engine node in the place of each built cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.edit import GraphEdit
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import node_from_def
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import TENSORS, const_source, tensor_info
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.build_engines import Built
from tfgraft.passes.prune import Prune
from tfgraft.passes.segment import call_node, keep_functional, segment_function
from tfgraft.plugins.protocol import BuiltEngine, Cluster, device_kinds
from tfgraft.runtime.node import engine_node_def

PREFIX = "TfGraft"


@dataclass(frozen=True)
class ReplaceClusters:
    """Replaces the clusters of `ctx.results["built"]`; fetched tensors keep their names through Identity nodes.

    Leaves the engine node's name for each cluster id in `ctx.results["engine_nodes"]`.
    """

    name: ClassVar[str] = "replace_clusters"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Replace, then drop the constants that nothing reads any more."""
        built: Sequence[Built] = ctx.results.get("built", ())
        names: dict[str, str] = {}
        graphs = {one.name: one for one in ctx.graphs(graph)}
        for one in graphs.values():
            here = [b for b in built if b.cluster.function == one.name]
            if here:
                names.update(_replace(one, here, ctx.strict, [_kinds(ctx, b.engine) for b in here]))
                if one.name:
                    one.library.write_back(one)
        ctx.results["engine_nodes"] = names
        if built:
            Prune().run(graph, ctx)
        return PassResult(bool(built), f"{len(names)} engine nodes")


def _kinds(ctx: PassContext, engine: BuiltEngine) -> tuple[str, ...]:
    builder = ctx.registry.engines.get(engine.engine)
    return ("CPU",) if builder is None else device_kinds(builder, engine)


def _replace(graph: Graph, built: Sequence[Built], strict: bool, kinds: Sequence[tuple[str, ...]]) -> dict[str, str]:
    """Replace all clusters of one graph in one edit; return the engine nodes' names by cluster id."""
    engines = [_engine(graph, each, strict, kind) for each, kind in zip(built, kinds, strict=True)]
    moved = {
        ref: TensorRef(engine.name, port)
        for each, engine in zip(built, engines, strict=True)
        for port, ref in enumerate(each.cluster.outputs)
    }
    home = {
        name: engine.name
        for each, engine in zip(built, engines, strict=True)
        for name in each.cluster.nodes
        if graph.node(name).op != "Const"
    }
    pinned = {ref.node for ref in graph.fetches} | graph.keep
    with graph.edit() as edit:
        for each, engine in zip(built, engines, strict=True):
            cluster = each.cluster
            reads = [moved.get(ref, ref) for ref in (*cluster.inputs, *cluster.weights)]
            waits = dict.fromkeys(home.get(c, c) for c in _controls(graph, cluster) if c not in cluster.nodes)
            waits.pop(engine.name, None)
            edit.add(engine, reads, waits)
        for name in dict.fromkeys(target for member in home for target in graph.successors(member)):
            if name not in home:
                inputs = [moved.get(ref, ref) for ref in graph.inputs(name)]
                edit.set_inputs(name, inputs, [home.get(c, c) for c in graph.control_inputs(name)])
        for name in home:
            edit.remove(name)
        for each, engine in zip(built, engines, strict=True):
            for name in each.cluster.nodes:
                if name in home and name in pinned:
                    _keep_name(edit, graph, each.cluster, engine, name)
        infos = {
            engine.name: tuple(tensor_info(graph, ref) for ref in each.cluster.outputs)
            for each, engine in zip(built, engines, strict=True)
        }
    graph.facts.update(TENSORS, infos)
    return {each.cluster.id: engine.name for each, engine in zip(built, engines, strict=True)}


def _controls(graph: Graph, cluster: Cluster) -> Iterator[str]:
    """Yield what the nodes of a cluster wait for, and the constants that it takes along."""
    for name in cluster.nodes:
        yield from graph.control_inputs(name)
        for ref in graph.inputs(name):
            if const_source(graph, ref) is not None:
                source = ref.node
                while graph.node(source).op != "Const":
                    yield from graph.control_inputs(source)
                    source = graph.inputs(source)[0].node


def _engine(graph: Graph, built: Built, strict: bool, kinds: tuple[str, ...]) -> Node:
    """Make a cluster's segment function, and its engine node or its call of that function."""
    cluster = built.cluster
    # TensorFlow's eager runtime knows functions by name, across models: the name must say what is in it.
    segment = graph.library.unique_name(f"{PREFIX}_segment_{built.fingerprint}")
    graph.library.add(segment_function(graph, cluster, segment))
    name = graph.unique_name(f"{PREFIX}/{cluster.id}")
    placed = {graph.node(n).device for n in cluster.nodes if graph.node(n).op != "Const"}
    device = on_device("" if "" in placed else min(placed), kinds)
    if built.engine.call is not None:
        keep_functional(graph.library, segment)
        return call_node(graph, cluster, name, segment, device, built.engine.call)
    node_def = engine_node_def(
        name,
        built.engine,
        inputs=[str(ref) for ref in (*cluster.inputs, *cluster.weights)],
        segment=segment,
        fingerprint=built.fingerprint,
        device=device,
        strict=strict,
    )
    return node_from_def(node_def)


def on_device(device: str, kinds: tuple[str, ...]) -> str:
    """Return a node's device, with the CPU put in where the engine works in the CPU's memory only.

    The engine op has kernels for all kinds of devices, so TensorFlow would choose a GPU for any of them.
    """
    if kinds != ("CPU",):
        return device
    kept = [part for part in device.split("/") if part.startswith(("job:", "replica:", "task:"))]
    return "".join(f"/{part}" for part in (*kept, "device:CPU:0"))


def _keep_name(edit: GraphEdit, graph: Graph, cluster: Cluster, engine: Node, name: str) -> None:
    """Give a fetched node's name to an Identity (or an IdentityN, if other outputs than the first are fetched)."""
    ports = {ref.port: i for i, ref in enumerate(cluster.outputs) if ref.node == name}
    device = graph.node(name).device
    if not ports:  # kept for its effect only
        edit.add(Node(name, "NoOp", device), (), [engine.name])
        return
    last = max(ports)
    # Ports that nobody fetches or reads are filled with the lowest one that is there: nobody sees them.
    sources = [TensorRef(engine.name, ports.get(port, ports[min(ports)])) for port in range(last + 1)]
    types = [
        DType(tensor_info(graph, TensorRef(name, port if port in ports else min(ports))).dtype)
        for port in range(last + 1)
    ]
    if last == 0:
        edit.add(Node(name, "Identity", device, Attrs({"T": types[0]})), sources)
    else:
        edit.add(Node(name, "IdentityN", device, Attrs({"T": tuple(types)})), sources)
