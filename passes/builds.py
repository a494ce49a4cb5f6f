"""Builds: where engines come from: the cache, workers, or a build in this process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, field
from typing import TypeAlias

from tfgraft.cache.cluster_key import ClusterKeys
from tfgraft.cache.outcomes import Finished, Outcome, read_outcome, write_outcome
from tfgraft.graph.graph import Graph
from tfgraft.graph.views import const_value
from tfgraft.passes.base import PassContext
from tfgraft.passes.build_job import BuildJob, run_job
from tfgraft.passes.part import make_part
from tfgraft.plugins.protocol import (
    BuildContext,
    BuildError,
    BuiltEngine,
    Cluster,
    EngineBuilder,
    OptionError,
    fingerprint,
)

_NEARLY_ALL = 0.8
"""The share of the main graph's nodes from which on little else runs beside a cluster."""
Pending: TypeAlias = Callable[[], Outcome]
"""A build that was begun; calling it waits for its outcome. It may be called once."""


@dataclass
class Builds:
    """Builds clusters of one model with one builder, each from its part of the graph alone.

    Args:
        builder: who builds.
        main: the main graph.
        ctx: with the cache and the executor, if there are any.
    """

    builder: EngineBuilder
    main: Graph
    ctx: PassContext
    _keys: ClusterKeys = field(init=False)
    _executor: Executor | None = field(init=False)

    def __post_init__(self) -> None:
        self._keys = ClusterKeys(self.builder, self.ctx.registry, self.ctx.options)
        self._executor = self.ctx.executor
        self._size = sum(node.op != "Const" for node in self.main)

    def begin(self, graph: Graph, cluster: Cluster) -> Pending:
        """Begin a build: in a worker if there are any; else it is done when its outcome is asked for."""
        if self._executor is None:
            return lambda: self.outcome(graph, cluster)
        job = self._job(graph, cluster)
        key, known = self._look(job)
        if known is not None:
            return lambda: known
        future = self._submit(job)
        return lambda: self._finish(job, key, self._built(job, future))

    def outcome(self, graph: Graph, cluster: Cluster) -> Outcome:
        """Build at once, or take it from the cache.

        Raises:
            OptionError: an option cannot be for this graph.
        """
        job = self._job(graph, cluster)
        key, known = self._look(job)
        if known is not None:
            return known
        return self._finish(job, key, self._built(job, self._submit(job)))

    def _job(self, graph: Graph, cluster: Cluster) -> BuildJob:
        part = make_part(graph, cluster, self.ctx.options)
        taken = sum(graph.node(name).op != "Const" for name in cluster.nodes)
        alone = not graph.name and taken >= _NEARLY_ALL * self._size
        return BuildJob(self.builder, cluster, BuildContext(part, self.ctx.registry, self.ctx.options, alone))

    def _look(self, job: BuildJob) -> tuple[str | None, Outcome | None]:
        cache = self.ctx.cache
        if cache is None:
            return None, None
        key = self._keys.key(job.cluster, job.context)
        return key, None if key is None else read_outcome(cache, key)

    def _submit(self, job: BuildJob) -> Future[BuiltEngine | BuildError] | None:
        if self._executor is None:
            return None
        try:
            return self._executor.submit(run_job, job)
        except Exception as error:  # executors raise several kinds when they are broken or closed
            self._do_without(error)
            return None

    def _built(self, job: BuildJob, future: Future[BuiltEngine | BuildError] | None) -> BuiltEngine | BuildError:
        """Return what a worker has built; what no worker can build, for whatever reason, is built here."""
        if future is not None:
            try:
                return future.result()
            except OptionError:
                raise
            except Exception as error:
                self._do_without(error)
        return job.run()

    def _do_without(self, error: Exception) -> None:
        if self._executor is None:  # it was told already
            return
        self._executor = None
        what = "a worker died" if isinstance(error, BrokenExecutor) else "workers cannot build"
        self.ctx.logger.warning(
            "tfgraft: %s (%s: %s); engines are built in this process", what, type(error).__name__, error
        )

    def _finish(self, job: BuildJob, key: str | None, built: BuiltEngine | BuildError) -> Outcome:
        outcome: Outcome
        if isinstance(built, BuildError):
            outcome = built
        else:
            graph = job.context.graph
            weights = (const_value(graph.node(ref.node)) for ref in job.cluster.weights)  # one at a time
            outcome = Finished(built, fingerprint(built, weights))
        if key is not None and self.ctx.cache is not None:
            write_outcome(self.ctx.cache, key, outcome, f"{self.builder.name}, {job.cluster.size} ops")
        return outcome
