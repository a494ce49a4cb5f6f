"""Part: what an engine is built from, as a graph of its own. All that a builder can see is in it, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.functions import FunctionLibrary, called, called_by
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import add_node_defs
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import TensorInfo
from tfgraft.graph.views import TENSORS, const_source, tensor_info, tensor_infos
from tfgraft.plugins.protocol import Cluster

_READERS = "readers"
_STAND_IN = "Placeholder"
_UNKNOWN = "invalid"
Entry = tuple[Node, Sequence[TensorRef], Sequence[str]]


def make_part(graph: Graph, cluster: Cluster, options: Mapping[str, Any]) -> Graph:
    """Return the part of a graph that a cluster is built from.

    It has the cluster's nodes and the constants that they read, as they are; a Placeholder in the place of each node
    that the cluster reads from, or that the options name; a node that reads all outputs; the functions that the nodes
    call; and the types and shapes of all of these, as the fact `TENSORS`. Unknown dimensions that are known to be equal
    are numbered anew, so that a part does not change with what is around it. The graph's constants are not copied.
    """
    symbols = _Symbols()
    entries: dict[str, Entry] = {}
    tensors: dict[str, tuple[TensorInfo, ...]] = {}

    def stand_in(ref: TensorRef) -> None:
        if ref.node not in entries:
            entries[ref.node] = (_stand_in(ref.node, tensor_info(graph, ref).dtype), (), ())
            tensors[ref.node] = symbols.renumbered(tensor_infos(graph, graph.node(ref.node)))

    def take(name: str, inside: Iterable[str]) -> None:
        if name not in entries:
            controls = [c for c in graph.control_inputs(name) if c in inside]
            entries[name] = (graph.node(name), graph.inputs(name), controls)
            if (infos := graph.facts.get(TENSORS, name)) is not None:
                tensors[name] = symbols.renumbered(infos)

    members = set(cluster.nodes)
    for ref in cluster.inputs:
        stand_in(ref)
    for name in cluster.nodes:
        for ref in graph.inputs(name):
            for source in _constant(graph, ref, members):
                take(source, ())
        take(name, members)
    for ref in _named(options, graph):
        stand_in(ref)
    readers = _readers(graph, cluster)
    entries[readers.name] = (readers, cluster.outputs, ())
    part = Graph(_library(graph, [entries[n][0] for n in cluster.nodes]), graph.name, cluster.inputs, cluster.outputs)
    part.extra = graph.extra
    add_node_defs(part, list(entries.values()))
    part.facts.update(TENSORS, tensors)
    return part


class _Symbols:
    """Numbers unknown dimensions in the order in which they are met; see `tfgraft.graph.view.Shape`."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def renumbered(self, infos: Iterable[TensorInfo]) -> tuple[TensorInfo, ...]:
        return tuple(self._renumbered(info) for info in infos)

    def _renumbered(self, info: TensorInfo) -> TensorInfo:
        if info.shape is None or all(d >= -1 for d in info.shape):
            return info
        shape = tuple(d if d >= -1 else self._numbers.setdefault(d, -2 - len(self._numbers)) for d in info.shape)
        return TensorInfo(info.dtype, shape)


def _stand_in(name: str, dtype: str) -> Node:
    return Node(name, _STAND_IN, attrs=Attrs({} if dtype == _UNKNOWN else {"dtype": DType(dtype)}))


def _readers(graph: Graph, cluster: Cluster) -> Node:
    name = _READERS
    while name in graph:
        name += "_"
    types = tuple(tensor_info(graph, ref).dtype for ref in cluster.outputs)
    return Node(name, "IdentityN", attrs=Attrs({} if _UNKNOWN in types else {"T": tuple(map(DType, types))}))


def _constant(graph: Graph, ref: TensorRef, members: set[str]) -> list[str]:
    """Return the Const node that a tensor from outside comes from and the nodes between, the Const first."""
    if ref.node in members or (const := const_source(graph, ref)) is None:
        return []
    chain = [ref.node]
    while chain[-1] != const.name:
        chain.append(graph.inputs(chain[-1])[0].node)
    return chain[::-1]


def _named(options: Any, graph: Graph) -> Iterator[TensorRef]:
    """Yield the tensors of a graph that options name, such as the keys of profiles."""
    if isinstance(options, str):
        try:
            ref = TensorRef.parse(options)
        except ValueError:
            return
        if ref.node in graph:
            yield ref
    elif isinstance(options, Mapping):
        for key, value in options.items():
            yield from _named(key, graph)
            yield from _named(value, graph)
    elif isinstance(options, (list, tuple)):
        for item in options:
            yield from _named(item, graph)


def _library(graph: Graph, nodes: Iterable[Node]) -> FunctionLibrary:
    """Return the functions that nodes call, directly or not, with what is known of the tensors in them."""
    old, new = graph.library, FunctionLibrary()
    pending = [name for node in nodes for name in called(node) if name in old]
    while pending:
        name = pending.pop()
        if name not in new:
            new.add(old.get(name))
            pending.extend(c for node_def in old.get(name).node_def for c in called_by(node_def) if c in old)
    for body in old.bodies():
        if body.name in new and (tensors := body.facts.table(TENSORS)):
            copy = new.body(body.name)
            if copy is not None:
                copy.facts.update(TENSORS, tensors)
    return new
