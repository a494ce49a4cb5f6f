"""Putting a plan for half precision into a graph: nodes and constants of the half type, casts where types meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.edit import GraphEdit
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import TensorInfo
from tfgraft.graph.views import TENSORS, const_info, const_node, const_source, const_value, tensor_info, tensor_infos
from tfgraft.passes.autocast_form import HalfForm
from tfgraft.passes.autocast_plan import source_in_cluster
from tfgraft.passes.form_clusters import CLUSTER


def cast_node(name: str, source: str, to: str, device: str = "") -> Node:
    """Return a Cast node."""
    return Node(name, "Cast", device, Attrs({"SrcT": DType(source), "DstT": DType(to), "Truncate": False}))


def rewrite(graph: Graph, clusters: Mapping[str, str], forms: Mapping[str, HalfForm], dtype: str) -> None:
    """Put nodes in half precision into a graph, in one edit.

    Every node outside of the clusters reads float32 as before, and so does who fetches. The types and shapes (the
    fact `TENSORS`) of what is new are those of what it was made of.

    Args:
        clusters: the cluster of each node that is in one.
        forms: the nodes to change, as they will be.
        dtype: the half type.
    """
    pinned = graph.keep | {ref.node for ref in graph.fetches}
    with graph.edit() as edit:
        work = _Rewrite(graph, edit, clusters, forms, dtype)
        for name in forms:
            work.place(name, name in pinned)
        for node in list(graph):
            work.connect(node)
    graph.facts.update(TENSORS, work.infos)
    graph.facts.update(CLUSTER, work.homes)


@dataclass
class _Rewrite:
    graph: Graph
    edit: GraphEdit
    clusters: Mapping[str, str]
    forms: Mapping[str, HalfForm]
    dtype: str
    infos: dict[str, tuple[TensorInfo, ...]] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _moved: dict[TensorRef, TensorRef] = field(default_factory=dict)  # results of nodes that gave their name to a cast
    _casts: dict[tuple[TensorRef, str, str], TensorRef] = field(default_factory=dict)
    _constants: dict[str, TensorRef] = field(default_factory=dict)

    def place(self, name: str, pinned: bool) -> None:
        """Put a node in half precision in the place of the node of that name; a pinned name goes to a cast."""
        form, old = self.forms[name], self.graph.node(name)
        new = tuple(
            TensorInfo(self.dtype, info.shape) if half else info
            for info, half in zip(tensor_infos(self.graph, old), form.outputs, strict=True)
        )
        if not (pinned and any(form.outputs)):
            self.edit.replace(form.node)
            self.infos[name] = new
            return
        inner = self._free(f"{name}/{self.dtype}")
        # Who wants to be placed with the pinned name is placed with the cast.
        node = replace(form.node, name=inner, attrs=form.node.attrs.replace(_class=None))
        self.edit.add(node, self.graph.inputs(name), self.graph.control_inputs(name))
        self.edit.replace(cast_node(name, self.dtype, "float32", old.device))
        self.edit.set_inputs(name, [TensorRef(inner)], ())
        self.infos[inner] = new
        self.homes[inner] = self.clusters[name]
        self._moved[TensorRef(name)] = TensorRef(inner)
        self._casts[TensorRef(inner), "float32", self.clusters[name]] = TensorRef(name)

    def connect(self, node: Node) -> None:
        """Make a node read what it needs in the type that it needs."""
        form = self.forms.get(node.name)
        old = self.graph.inputs(node.name)
        new = [self._wanted(node, ref, form is not None and form.inputs[slot]) for slot, ref in enumerate(old)]
        if tuple(new) != old:
            home = self._moved.get(TensorRef(node.name), TensorRef(node.name)).node
            self.edit.set_inputs(home, new, self.graph.control_inputs(node.name))

    def _wanted(self, reader: Node, ref: TensorRef, half: bool) -> TensorRef:
        if half and (const := const_source(self.graph, ref)) is not None:
            return self._constant(const)
        source = source_in_cluster(self.graph, self.clusters, ref, reader.name)
        made = self.forms.get(source.node)
        if made is not None and made.outputs[source.port]:
            at_hand = self._moved.get(source, source)
            if half and self.clusters[source.node] == self.clusters[reader.name]:
                return at_hand
            ref = self._cast(at_hand, source, self.dtype, "float32", self.graph.node(source.node))
        elif half and (given := self._cast_from(source, reader)) is not None:
            ref, kind = given
            return ref if kind == self.dtype else self._half(ref, source, kind, reader)
        return self._half(ref, source, "float32", reader) if half else ref

    def _cast_from(self, source: TensorRef, reader: Node) -> tuple[TensorRef, str] | None:
        """Return what a Cast in the reader's cluster makes a float32 tensor of, and its type: one cast does for two."""
        node = self.graph.node(source.node)
        if node.op != "Cast" or self.clusters.get(node.name) != self.clusters[reader.name]:
            return None
        return self.graph.inputs(node.name)[0], node.dtype("SrcT")

    def _half(self, ref: TensorRef, named: TensorRef, source: str, reader: Node) -> TensorRef:
        return self._cast(ref, named, source, self.dtype, reader)

    def _cast(self, ref: TensorRef, named: TensorRef, source: str, to: str, beside: Node) -> TensorRef:
        """Return a tensor in another type, named after `named`, of which it has the shape; one in each cluster."""
        cluster = self.clusters[beside.name]
        if (ref, to, cluster) not in self._casts:
            port = f"_{named.port}" if named.port else ""
            name = self._free(f"{named.node}{port}/to_{to}")
            self.edit.add(cast_node(name, source, to, beside.device), [ref])
            self.homes[name] = cluster
            self.infos[name] = (TensorInfo(to, tensor_info(self.graph, named).shape),)
            self._casts[ref, to, cluster] = TensorRef(name)
        return self._casts[ref, to, cluster]

    def _constant(self, const: Node) -> TensorRef:
        if const.name not in self._constants:
            node = const_node(self._free(f"{const.name}/{self.dtype}"), const_value(const).astype(self.dtype))
            self.edit.add(replace(node, device=const.device), (), self.graph.control_inputs(const.name))
            self.infos[node.name] = (const_info(node),)
            self._constants[const.name] = TensorRef(node.name)
        return self._constants[const.name]

    def _free(self, wanted: str) -> str:
        name, i = wanted, 0
        while name in self.graph or name in self._taken:
            i += 1
            name = f"{wanted}_{i}"
        self._taken.add(name)
        return name
