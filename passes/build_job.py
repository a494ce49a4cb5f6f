"""BuildJob: one build, here or in a worker; pickled, it takes along what the worker does not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tfgraft.cache.code import OWN, version_of
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.view import TensorInfo
from tfgraft.graph.views import TENSORS
from tfgraft.plugins.protocol import (
    BuildContext,
    BuildError,
    BuiltEngine,
    Cluster,
    EngineBuilder,
    HasCacheKey,
    OptionError,
    converter_sets,
)
from tfgraft.registry.entry import Converter
from tfgraft.registry.registry import Registry


class OtherWorker(RuntimeError):
    """A worker has other software than the process that sent it a job: what it would build need not be the same."""


@dataclass(frozen=True)
class BuildJob:
    """A cluster to be built.

    Pickled, it becomes a `PackedJob`.

    Args:
        builder: who builds.
        cluster: what is to be built.
        context: with the cluster's part of the graph, and no more.
    """

    builder: EngineBuilder
    cluster: Cluster
    context: BuildContext = field(repr=False)

    def run(self) -> BuiltEngine | BuildError:
        """Build.

        Raises:
            OptionError: an option cannot be for this graph.
        """
        try:
            return self.builder.build(self.cluster, self.context)
        except BuildError as error:
            return error
        except OptionError:
            raise
        except Exception as error:  # a plugin may fail in any way; what it cannot build stays native
            message = f"engine {self.cluster.engine} failed to build: {type(error).__name__}: {error}"
            return BuildError(message, lasting=False)

    def __reduce__(self) -> tuple[Any, ...]:
        context = self.context
        entries = _entries(self)
        return PackedJob, (
            _software(self.builder, context.options),
            self.builder,
            self.cluster,
            _Part.of(context.graph),
            tuple(entry for entry in entries if entry.layer == "user"),
            tuple(_name(entry) for entry in entries),
            dict(context.options),
            context.alone,
        )


@dataclass(frozen=True)
class _Part:
    """A part of a graph as plain data."""

    graph_def: bytes
    name: str
    facts: Mapping[str, Mapping[str, tuple[TensorInfo, ...]]]
    """Types and shapes by function and node; the empty name is the part's own."""

    @classmethod
    def of(cls, graph: Graph) -> _Part:
        facts = {one.name: dict(one.facts.table(TENSORS)) for one in graph.library.bodies()}
        return cls(to_graph_def(graph).SerializeToString(), graph.name, {**facts, "": dict(graph.facts.table(TENSORS))})

    def graph(self, cluster: Cluster) -> Graph:
        from tensorflow.core.framework import graph_pb2

        graph = from_graph_def(
            graph_pb2.GraphDef.FromString(self.graph_def), feeds=cluster.inputs, fetches=cluster.outputs
        )
        graph.name = self.name
        for name, tensors in self.facts.items():
            one = graph.library.body(name) if name else graph
            if one is not None:
                one.facts.update(TENSORS, tensors)
        return graph


def _entries(job: BuildJob) -> list[Converter]:
    """Return the converters that may be asked, in order, for all ops of a job."""
    graph = job.context.graph
    ops = {graph.node(name).op for name in job.cluster.nodes}
    ops.update(node_def.op for name in graph.library for node_def in graph.library.get(name).node_def)
    sets = converter_sets(job.builder, job.context.options)
    found: dict[tuple[Any, ...], Converter] = {}
    for op in sorted(ops):
        for entry in job.context.registry.candidates(op, sets):
            found.setdefault(_name(entry), entry)
    return list(found.values())


def _software(builder: EngineBuilder, options: Mapping[str, Any]) -> str:
    extra = builder.cache_key(options) if isinstance(builder, HasCacheKey) else None
    return f"{OWN} {version_of(OWN)} {extra or ''}".strip()


def _name(entry: Converter) -> tuple[Any, ...]:
    return (entry.op, entry.engine, entry.layer, entry.priority, entry.source)


@cache
def _installed() -> Registry:
    """What is installed where this process runs; a worker builds many clusters, and finds plugins once."""
    return Registry.default()


@dataclass(frozen=True)
class PackedJob:
    """A job on its way to a worker.

    It has the cluster's part of the graph, weights included, and the user's converters; those of tfgraft and of plugins
    the worker has to have itself. Nothing is unpacked before it runs, since a process pool breaks where that fails.

    Args:
        software: what builds must be the same: the version of tfgraft, and what the builder says engines depend on.
        builder, cluster: see `BuildJob`.
        part: the cluster's part of the graph.
        users: the user's converters.
        entries: what the converters are that may be asked, in order.
        options, alone: see `BuildContext`.
    """

    software: str
    builder: EngineBuilder
    cluster: Cluster
    part: _Part = field(repr=False)
    users: tuple[Converter, ...]
    entries: tuple[tuple[Any, ...], ...] = field(repr=False)
    options: Mapping[str, Any]
    alone: bool

    def run(self) -> BuiltEngine | BuildError:
        """Build; see `BuildJob.run`.

        Raises:
            OtherWorker: what is installed here differs from where the job comes from.
        """
        software = _software(self.builder, self.options)
        if software != self.software:
            raise OtherWorker(f"it has {software}, and not {self.software}")
        registry = _installed()
        if self.users:
            registry = registry.copy()
            registry.add(*self.users)
        context = BuildContext(self.part.graph(self.cluster), registry, self.options, self.alone)
        job = BuildJob(self.builder, self.cluster, context)
        if tuple(_name(entry) for entry in _entries(job)) != self.entries:
            raise OtherWorker("it has other converters installed")
        return job.run()


def run_job(job: BuildJob | PackedJob) -> BuiltEngine | BuildError:
    """Run a job in a worker, as it has come there."""
    return job.run()
