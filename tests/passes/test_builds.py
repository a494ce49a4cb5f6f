"""Engines built by workers: threads, processes, a Dask cluster. The result is that of a serial build, come what may."""

from __future__ import annotations

import functools
import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.cache.third_party import LoggedBuilder, registry_of
from tests.passes.graft import Result, X, build, chain, check, graft, native, x
from tfgraft.cache.cache import EngineCache
from tfgraft.passes.base import PassError
from tfgraft.passes.build_job import BuildJob, PackedJob
from tfgraft.registry.entry import Converter
from tfgraft.registry.registry import Registry


class Counting(Executor):
    """Passes jobs on and counts them; keeps the size of each when it is pickled."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.jobs: list[BuildJob] = []

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.jobs.append(args[0])
        return self.executor.submit(function, *args, **kwargs)


def spawned(workers: int = 1) -> ProcessPoolExecutor:
    """TensorFlow does not survive a fork."""
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with spawned() as executor:
        yield executor


@pytest.fixture(scope="module")
def dask() -> Iterator[Executor]:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor()


def cond(value: Any) -> Any:
    return tf.cond(tf.reduce_sum(value) < 1.0, lambda: chain(value, 4, "then"), lambda: chain(value + 1.0, 4, "else"))


def long() -> None:
    """Clusters with native ops between, a weight, a branch with bodies of its own; and much that is in no cluster."""
    a = chain(x(), 5, "a")
    b = chain(native(a, "n1"), 5, "b") * tf.constant(np.arange(4000.0).reshape(1000, 1, 4), tf.float32, name="weight")
    b = tf.reduce_sum(b, 0)
    large = tf.constant(np.zeros((1000, 1000)), tf.float32, name="large")
    c = native(b, "n2") + tf.cast(tf.strings.length(tf.strings.as_string(large))[0, 0], tf.float32)
    tf.identity(cond(chain(c, 4, "c")), name="out")


def broken(ctx: Any, view: Any) -> None:
    """A converter that fails for one node."""
    if view.name == "b_2":
        raise KeyError("no such thing")
    ctx.set(view, 0, ctx.node("Tanh", [ctx.get(view, 0)]))


def deadly(ctx: Any, view: Any) -> None:
    """A converter that no worker survives."""
    if multiprocessing.parent_process() is not None:
        os._exit(3)
    ctx.set(view, 0, ctx.node("Tanh", [ctx.get(view, 0)]))


@functools.cache
def graph() -> Any:
    """Return one GraphDef for all: TensorFlow gives a branch's functions other names each time."""
    return build(long)


@functools.cache
def default() -> Registry:
    return Registry.default()


def with_converter(convert: Callable[[Any, Any], None]) -> Registry:
    registry = default().copy()
    registry.add(Converter("Tanh", "onnxruntime", convert, source="a user"))
    return registry


def run(executor: Executor | None, registry: Registry | None = None, **options: Any) -> Result:
    return graft(graph(), ["out:0"], registry=registry or default(), executor=executor, **options)


def same(one: Result, other: Result) -> bool:
    return bool(
        one.graph_def == other.graph_def
        and one.report.nodes == other.report.nodes
        and one.report.clusters == other.report.clusters
        and one.report.diagnostics == other.report.diagnostics
    )


@pytest.mark.parametrize("kind", ["threads", "processes", "dask"])
def test_workers_build_what_a_serial_build_makes(
    kind: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    executor = Counting(request.getfixturevalue(kind))
    result = run(executor)
    assert len(executor.jobs) == len(result.report.clusters) >= 4
    assert same(result, run(None))
    assert [r for r in caplog.records if r.name == "tfgraft"] == []
    check(graph(), result, ["out:0"], {"x:0": X})


@pytest.mark.parametrize("kind", ["threads", "processes", "dask"])
def test_errors_come_back_with_the_culprit(
    kind: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    registry = with_converter(broken)
    executor = Counting(request.getfixturevalue(kind))
    result = run(executor, registry)
    story = result.report.explain("b_2").node
    assert (story.fate, story.code) == ("native", "conversion-failed")
    assert "KeyError: 'no such thing'" in story.reason
    assert same(result, run(None, registry))
    assert len(executor.jobs) == len(result.report.clusters) + 1, "what is left of the cluster was built by workers too"
    assert [r for r in caplog.records if r.name == "tfgraft"] == []


def assert_one_warning(caplog: pytest.LogCaptureFixture, *words: str) -> None:
    (record,) = (r for r in caplog.records if r.name == "tfgraft")
    for word in words:
        assert word in record.getMessage()


def test_where_a_worker_dies_engines_are_built_here(caplog: pytest.LogCaptureFixture) -> None:
    registry = with_converter(deadly)
    with spawned() as executor:
        result = run(executor, registry)
    assert_one_warning(caplog, "a worker died", "engines are built in this process")
    assert same(result, run(None, registry))


def test_what_cannot_be_sent_is_built_here(processes: Executor, caplog: pytest.LogCaptureFixture) -> None:
    def local(ctx: Any, view: Any) -> None:
        ctx.set(view, 0, ctx.node("Tanh", [ctx.get(view, 0)]))

    registry = with_converter(local)
    result = run(processes, registry)
    assert_one_warning(caplog, "workers cannot build", "local")
    assert same(result, run(None, registry))


def test_a_worker_with_other_converters_is_not_trusted(processes: Executor, caplog: pytest.LogCaptureFixture) -> None:
    registry = registry_of(LoggedBuilder())  # a plugin that is not installed
    results = [run(executor, registry, engine="logged") for executor in (processes, None)]
    assert_one_warning(caplog, "OtherWorker: it has other converters installed")
    assert same(*results)


def test_an_executor_that_is_shut_down_is_done_without(caplog: pytest.LogCaptureFixture) -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    assert same(run(executor), run(None))
    assert_one_warning(caplog, "after shutdown")


def test_mistakes_in_options_are_told(threads: Executor) -> None:
    with pytest.raises(PassError, match="option impossible cannot be"):
        run(threads, registry_of(LoggedBuilder()), engine="logged", engine_options={"impossible": True})


@pytest.mark.parametrize("bad", [{"b_3"}, {"a_1", "b_4", "c_2"}])
def test_bisection_by_workers(bad: set[str], threads: Executor) -> None:
    results = [
        run(executor, registry_of(LoggedBuilder(frozenset(bad))), engine="logged") for executor in (threads, None)
    ]
    assert {n.name for n in results[0].report.nodes if n.code == "build-failed"} == bad
    assert same(*results)


def test_what_the_cache_has_is_not_sent(threads: Executor, tmp_path: Path) -> None:
    executor, cache = Counting(threads), EngineCache(tmp_path)
    first = run(executor, cache=cache)
    count = len(executor.jobs)
    second = run(executor, cache=cache)
    assert len(executor.jobs) == count
    assert same(first, second)


def test_a_job_is_small_and_whole(threads: Executor) -> None:
    executor = Counting(threads)
    run(executor)
    sizes = [len(pickle.dumps(job)) for job in executor.jobs]
    assert max(sizes) < 16_000 + 30_000, "the weight, and not the large constant that is in no cluster"
    assert min(sizes) < 20_000
    for job in executor.jobs:
        packed = pickle.loads(pickle.dumps(job))
        assert isinstance(packed, PackedJob)
        assert packed.run() == job.run()


def test_tensorrt_in_workers(processes: Executor, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("tensorrt_rtx")
    options = {"compute_capabilities": ("8.6",), "profiles": {"x": ((1, 4), (2, 4), (3, 4))}}
    executor = Counting(processes)
    results = [run(one, engine="tensorrt", engine_options=options) for one in (executor, None)]
    assert len(executor.jobs) >= 3
    engines = [[(b.engine.metadata, b.engine.inputs) for b in r.ctx.results["built"]] for r in results]
    assert engines[0] == engines[1]
    assert [3, 4] in engines[0][0][0]["profiles"][0][0], "the range of the graph's input, named in the options"
    assert [r for r in caplog.records if r.name == "tfgraft"] == []


def test_optimize_takes_an_executor(threads: Executor) -> None:
    executor = Counting(threads)
    graph_def = build(lambda: tf.identity(chain(x(), 6), name="out"))
    result = tfgraft.optimize(graph_def, executor=executor)
    assert len(executor.jobs) == 1
    assert result.graph_def == tfgraft.optimize(graph_def).graph_def
