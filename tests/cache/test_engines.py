"""Engines from the cache: a hit builds nothing and is the same engine; what makes another engine makes another key."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.cache.third_party import LoggedBuilder, registry_of
from tests.passes.graft import Result, X, build, chain, check, graft, native, x
from tfgraft.cache.cache import EngineCache
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import TENSORS
from tfgraft.passes.base import PassContext, PassError
from tfgraft.passes.default import default_pipeline
from tfgraft.registry.registry import Registry


def long(weight: float = 1.0, more: bool = False, batch: int | None = None, name: str = "b") -> None:
    """Three clusters with a native op between them, a weight in the second."""
    a = chain(x(batch, 4) if batch else x(), 5, "a")
    a = tf.tanh(a, name="more") if more else a
    b = chain(native(a, "n1"), 5, name)
    b = b * tf.constant(np.full((100, 1, 4), weight), tf.float32, name="weight")
    tf.identity(chain(native(b, "n2"), 4, "c"), name="out")


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path)


def logged(builder: LoggedBuilder, cache: EngineCache | None, graph_def: Any = None, **options: Any) -> Result:
    graph_def = build(long) if graph_def is None else graph_def
    return graft(graph_def, ["out:0"], registry=registry_of(builder), engine="logged", cache=cache, **options)


def engines(result: Result) -> list[Any]:
    return [built.engine for built in result.ctx.results["built"]]


def test_a_hit_builds_nothing_and_is_the_same_engine(cache: EngineCache) -> None:
    builder = LoggedBuilder()
    first = logged(builder, cache)
    assert len(builder.builds) == 3
    second = logged(builder, cache)
    assert len(builder.builds) == 3
    assert engines(first) == engines(second) == engines(logged(LoggedBuilder(), None))
    assert repr(engines(first)) == repr(engines(second))
    assert first.graph_def == second.graph_def
    assert [b.fingerprint for b in first.ctx.results["built"]] == [b.fingerprint for b in second.ctx.results["built"]]
    check(build(long), second, ["out:0"], {"x:0": X})


CHANGES: dict[str, tuple[Callable[[], None], int]] = {
    "nothing": (lambda: long(), 0),
    "a weight": (lambda: long(weight=2.0), 1),
    "one more op": (lambda: long(more=True), 1),
    "the batch": (lambda: long(batch=3), 3),
    "a name": (lambda: long(name="d"), 1),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_changed_is_built_again_and_no_more(what: str, cache: EngineCache) -> None:
    function, again = CHANGES[what]
    logged(LoggedBuilder(), cache)
    builder = LoggedBuilder()
    logged(builder, cache, build(function))
    assert len(builder.builds) == again


def test_structure_and_weights_are_hashed_apart(cache: EngineCache) -> None:
    for weight in (1.0, 2.0):
        logged(LoggedBuilder(), cache, build(functools.partial(long, weight=weight)))
    keys = [entry.key.split("-") for entry in cache.entries()]
    assert len(keys) == 4
    assert len({structure for structure, _ in keys}) == 3, "the weight's cluster has one structure"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"engine_options": {"threads": 2}}),
        ({"engine_options": {"a": 1, "b": 2.0}}, {"engine_options": {"a": 1, "b": 2}}),
    ],
)
def test_options_count(one: Any, other: Any, cache: EngineCache) -> None:
    builder = LoggedBuilder()
    for options in (one, other, one, other):
        logged(builder, cache, **options)
    assert len(builder.builds) == 6


def test_the_order_of_options_does_not_count(cache: EngineCache) -> None:
    builder = LoggedBuilder()
    for options in ({"a": 1, "b": (2, "x")}, {"b": [2, "x"], "a": 1}):
        logged(builder, cache, engine_options=options)
    assert len(builder.builds) == 3


def test_options_that_cannot_be_hashed_are_built_each_time(cache: EngineCache) -> None:
    builder = LoggedBuilder()
    for _ in range(2):
        logged(builder, cache, engine_options={"callback": print})
    assert len(builder.builds) == 6
    assert cache.entries() == []


def test_what_converters_of_the_users_take_part_in_is_built_each_time(cache: EngineCache) -> None:
    builder = LoggedBuilder()
    for _ in range(2):
        registry = registry_of(builder, layer="user")
        graft(build(long), ["out:0"], registry=registry, engine="logged", cache=cache)
    assert len(builder.builds) == 6
    assert cache.entries() == []


def test_a_builder_that_says_no_is_asked_each_time(cache: EngineCache) -> None:
    class Unsure(LoggedBuilder):
        def cache_key(self, options: Any) -> str | None:
            return None

    builder = Unsure()
    for _ in range(2):
        logged(builder, cache)
    assert len(builder.builds) == 6


def test_what_a_builder_says_counts(cache: EngineCache) -> None:
    class Device(LoggedBuilder):
        here = "one"

        def cache_key(self, options: Any) -> str | None:
            return self.here

    builder = Device()
    for Device.here in ("one", "two", "one"):
        logged(builder, cache)
    assert len(builder.builds) == 6


def test_failures_are_kept_and_bisection_is_not_done_again(cache: EngineCache) -> None:
    bad = frozenset({"b_3", "c_1"})
    builder = LoggedBuilder(bad)
    first = logged(builder, cache)
    count = len(builder.builds)
    assert count > 6
    second = logged(builder, cache)
    assert len(builder.builds) == count, "nothing is built"
    assert first.graph_def == second.graph_def
    assert first.report.nodes == second.report.nodes
    assert first.report.diagnostics == second.report.diagnostics
    assert {n.name for n in second.report.nodes if n.code == "build-failed"} == bad
    assert {entry.kind for entry in cache.entries()} == {"engine", "failure"}
    assert any("it is too much" in entry.about for entry in cache.entries())


@pytest.mark.parametrize("options", [{"careless": True}, {}])
def test_failures_that_may_not_last_are_not_kept(options: dict[str, Any], cache: EngineCache) -> None:
    builder = LoggedBuilder(frozenset({"b_3"}), lasting=False)
    logged(builder, cache, engine_options=options)
    assert "failure" not in {entry.kind for entry in cache.entries()}
    count = len(builder.builds)
    logged(builder, cache, engine_options=options)
    assert len(builder.builds) > count


def test_an_option_that_cannot_be_is_told_each_time(cache: EngineCache) -> None:
    for _ in range(2):
        with pytest.raises(PassError, match="option impossible cannot be"):
            logged(LoggedBuilder(), cache, engine_options={"impossible": True})
    assert cache.entries() == []


def test_a_truncated_entry_is_built_again(cache: EngineCache) -> None:
    builder = LoggedBuilder()
    first = logged(builder, cache)
    path = sorted(cache.folder.iterdir())[1]
    path.write_bytes(path.read_bytes()[:-7])
    second = logged(builder, cache)
    assert len(builder.builds) == 4
    assert first.graph_def == second.graph_def
    logged(builder, cache)
    assert len(builder.builds) == 4


def test_a_value_of_another_kind_under_the_key_is_a_miss(cache: EngineCache) -> None:
    builder = LoggedBuilder()
    logged(builder, cache)
    for entry in cache.entries():
        cache.put(entry.key, {"not": "an engine"}, "other")
    logged(builder, cache)
    assert len(builder.builds) == 6


def cond(value: Any, name: str) -> Any:
    small = tf.reduce_sum(value) < 1.0
    return tf.cond(small, lambda: chain(value, 3, name), lambda: chain(value + 1.0, 4, name))


def loop() -> None:
    """A loop and a branch, which become engines or bodies with engines."""
    value = cond(x(), "branch")
    _, value = tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, chain(v, 5, "body")), (0, value))
    tf.identity(chain(value, 4), name="out")


@pytest.mark.parametrize("engine", ["onnxruntime", "tensorrt", "reference"])
@pytest.mark.parametrize("function", [long, loop])
def test_real_engines(engine: str, function: Callable[[], None], cache: EngineCache) -> None:
    if engine != "onnxruntime":
        pytest.importorskip("tensorrt_rtx")
    options = {"compute_capabilities": ("8.6",)} if engine == "tensorrt" else {}
    registry = Registry.default()
    graph_def = build(function)

    def run(cache: EngineCache | None) -> Result:
        return graft(graph_def, ["out:0"], registry=registry, engine=engine, cache=cache, engine_options=options)

    plain, first = run(None), run(cache)
    misses = cache.misses
    second = run(cache)
    assert cache.misses == misses
    assert cache.hits >= len(second.ctx.results["built"]) >= 1
    assert first.graph_def == second.graph_def
    if engine != "tensorrt":  # two builds of which may differ
        assert plain.graph_def == first.graph_def
        check(graph_def, second, ["out:0"], {"x:0": X})


def test_a_part_hides_what_is_around_the_cluster() -> None:
    graph_def = build(long)
    graph = from_graph_def(graph_def, feeds=[TensorRef("x")], fetches=[TensorRef("out")])
    seen: list[Any] = []

    class Looking(LoggedBuilder):
        def build(self, cluster: Any, context: Any) -> Any:
            seen.append((cluster, context.graph))
            return super().build(cluster, context)

    ctx = PassContext(registry_of(Looking()), "logged")
    default_pipeline(minimum_segment_size=1, cut_light=False).run(graph, ctx)
    cluster, part = seen[1]
    names = {node.name for node in part}
    assert names == {*cluster.nodes, "n1", "weight", "readers"}
    assert part.verify() == []
    assert part.node("n1").op == "Placeholder"
    assert part.node("b_1").op == "Relu"
    assert set(part.facts) == {TENSORS.name}
