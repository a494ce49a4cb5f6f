"""The key of an engine in the cache: a hash of all that it is made from."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tfgraft.cache.code import OWN, code_of, machine
from tfgraft.cache.digest import Undigestible, digest
from tfgraft.graph.functions import FunctionLibrary
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.views import TENSORS
from tfgraft.plugins.protocol import BuildContext, Cluster, EngineBuilder, HasCacheKey, converter_sets
from tfgraft.registry.entry import Converter, Decomposition
from tfgraft.registry.registry import Registry


class Unknowable(Exception):
    """It cannot be told whether code is the same as another day's, so what it makes is not kept."""


@dataclass
class ClusterKeys:
    """Makes the keys of clusters of one model for one builder, each weight being read once.

    Args:
        builder, registry, options: what builds.
    """

    builder: EngineBuilder
    registry: Registry
    options: Mapping[str, Any]
    _weights: dict[tuple[str, str], str] = field(default_factory=dict)
    _maker: str | None = None

    def key(self, cluster: Cluster, context: BuildContext) -> str | None:
        """Return the key of a cluster's engine: the hash of its structure, a hyphen, the hash of its weights.

        None if there can be none: the builder says so, an option is an object that cannot be hashed, or converters of
        the user's own may take part.

        Args:
            context: what the builder gets; its graph is the cluster's part alone.
        """
        try:
            if self._maker is None:
                self._maker = maker_digest(self.builder, self.options)
            graph = context.graph
            ops = sorted(set(_ops(graph, cluster)))
            sets = converter_sets(self.builder, self.options)
            entries = [entry for op in ops for entry in self.registry.candidates(op, sets)]
            structure = digest(
                self._maker,
                describe_entries(entries),
                context.alone,
                (cluster.function, cluster.nodes, cluster.inputs, cluster.weights, cluster.outputs, cluster.size),
                [_node(graph, node) for node in graph],
                list(_functions(graph.library)),
            )
            weights = [(name, self._weight(graph, name)) for name in _constants(graph)]
        except (Undigestible, Unknowable):
            return None
        return f"{structure}-{digest(weights)}"

    def _weight(self, graph: Graph, name: str) -> str:
        where = (graph.name, name)
        if where not in self._weights:
            value = graph.node(name).attrs.proto("value").tensor
            self._weights[where] = digest(value.SerializeToString(deterministic=True))
        return self._weights[where]


def maker_digest(builder: EngineBuilder, options: Mapping[str, Any]) -> str:
    """Return the hash of who builds and how: builder, options, code, versions and, where it matters, the device.

    Raises:
        Unknowable: the builder says that there is none, or its code is not to be found.
        Undigestible: an option cannot be hashed.
    """
    extra = builder.cache_key(options) if isinstance(builder, HasCacheKey) else ""
    if extra is None:
        raise Unknowable(f"engine {builder.name} does not say what its engines depend on")
    kind = type(builder)
    modules = [kind.__module__]
    return digest(
        machine(),
        codes(modules),
        builder.name,
        kind.__module__,
        kind.__qualname__,
        dict(options),
        extra,
        _state(builder),
    )


def _state(builder: EngineBuilder) -> Any:
    """Return the fields of a builder, which should have none that matter."""
    return {name: value for name, value in getattr(builder, "__dict__", {}).items() if not name.startswith("_")}


def codes(modules: Iterable[str]) -> list[str]:
    """Return what changes with the code of modules, tfgraft's own always among them.

    Raises:
        Unknowable: the source of one is not to be found.
    """
    found = []
    for top in sorted({OWN, *(module.partition(".")[0] for module in modules)}):
        code = code_of(top)
        if code is None:
            raise Unknowable(f"the source of {top} is not to be found")
        found.append(code)
    return found


def describe_entries(entries: Iterable[Converter | Decomposition]) -> list[Any]:
    """Return what registry entries are, for a key.

    Raises:
        Unknowable: one was registered by the user; a function may have changed since, or depend on anything.
    """
    described: list[Any] = []
    modules: set[str] = set()
    for entry in entries:
        if entry.layer == "user":
            raise Unknowable(f"{entry.op} has an entry of the user's, from {entry.source}")
        function = entry.convert if isinstance(entry, Converter) else entry.function
        modules.update((_module(function), _module(entry.check)))
        described.append((entry.op, entry.layer, entry.priority, entry.source, _module(function), _name(function)))
    return [*described, *codes(modules)]


def _module(function: Any) -> str:
    if isinstance(function, types.MethodType):
        return type(function.__self__).__module__
    return str(getattr(function, "__module__", "") or type(function).__module__)


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def _ops(graph: Graph, cluster: Cluster) -> Iterator[str]:
    yield from (graph.node(name).op for name in cluster.nodes)
    for name in graph.library:
        yield from (node_def.op for node_def in graph.library.get(name).node_def)


def _constants(graph: Graph) -> list[str]:
    return [node.name for node in graph if node.op == "Const"]


def _node(graph: Graph, node: Node) -> Any:
    attrs = [
        (name, node.attrs.proto(name).SerializeToString(deterministic=True))
        for name in sorted(node.attrs)
        if not (node.op == "Const" and name == "value")
    ]
    controls = graph.control_inputs(node.name)
    return (
        node.name,
        node.op,
        node.device,
        attrs,
        graph.inputs(node.name),
        controls,
        graph.facts.get(TENSORS, node.name),
    )


def _functions(library: FunctionLibrary) -> Iterator[Any]:
    facts = {body.name: dict(body.facts.table(TENSORS)) for body in library.bodies()}
    for name in sorted(library):
        yield name, library.get(name).SerializeToString(deterministic=True), facts.get(name)
