"""Pipelines: order by name, errors that say where, verification, instruments, a frozen registry."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from tests.passes.graft import X, build, chain, check, graft, run, x
from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.passes.base import NodeError, Pass, PassContext, PassError, PassResult
from tfgraft.passes.default import default_pipeline
from tfgraft.passes.instruments import Dump, Timing, Verify
from tfgraft.passes.pipeline import Pipeline
from tfgraft.passes.prune import Prune
from tfgraft.registry.registry import Registry, RegistryError


@dataclass(frozen=True)
class Do:
    """A pass that does what it is given; it says nothing of what it changed."""

    name: str
    action: Any = None

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Do it."""
        ctx.results.setdefault("ran", []).append(self.name)
        if self.action is not None:
            self.action(graph, ctx)
        return PassResult()


A, B, C = Do("a"), Do("b"), Do("c")


@pytest.fixture
def graph() -> Graph:
    return from_graph_def(build(lambda: tf.identity(chain(x(), 3), name="out")), fetches=[TensorRef("out")])


@pytest.fixture
def ctx() -> PassContext:
    return PassContext(Registry())


def test_passes_are_passes() -> None:
    assert isinstance(A, Pass)
    assert isinstance(Pipeline([A]), Pass)
    assert all(isinstance(step, Pass) for step in default_pipeline().passes)


def test_passes_run_in_order_and_a_pipeline_is_a_pass(graph: Graph, ctx: PassContext) -> None:
    Pipeline([A, Pipeline([B, C]), A]).run(graph, ctx)
    assert ctx.results["ran"] == ["a", "b", "c", "a"]


def test_positions_are_by_name() -> None:
    pipeline = Pipeline([A, B])
    assert pipeline.insert(C).names == ("a", "b", "c")
    assert pipeline.insert(C, before="a").names == ("c", "a", "b")
    assert pipeline.insert(C, after="a").names == ("a", "c", "b")
    assert pipeline.replace("a", C).names == ("c", "b")
    assert pipeline.without("b").names == ("a",)
    assert pipeline.names == ("a", "b"), "pipelines are values"
    timing = Timing()
    assert pipeline.with_instruments(timing).insert(C).instruments == (Verify(), timing)


def test_positions_that_are_not_there_are_told() -> None:
    pipeline = Pipeline([A, B, B])
    with pytest.raises(ValueError, match="there are 0 passes named 'z'; the passes are a, b, b"):
        pipeline.insert(C, before="z")
    with pytest.raises(ValueError, match="there are 2 passes named 'b'"):
        pipeline.without("b")
    with pytest.raises(ValueError, match="there are 0 passes named 'z'"):
        pipeline.replace("z", C)
    with pytest.raises(ValueError, match="not both"):
        pipeline.insert(C, before="a", after="b")


def fail(error: Exception) -> Any:
    def action(graph: Graph, ctx: PassContext) -> None:
        raise error

    return action


def test_a_failure_tells_pass_node_and_what_ran_before(graph: Graph, ctx: PassContext, tmp_path: Path) -> None:
    pipeline = Pipeline([A, B, Do("bad", fail(NodeError("op_1", "it is odd"))), C], (Verify(), Dump(tmp_path)))
    with pytest.raises(PassError) as caught:
        pipeline.run(graph, ctx)
    error = caught.value
    assert (error.failed, error.node, error.before, error.dump) == ("bad", "op_1", ("a", "b"), str(tmp_path))
    assert str(error) == (
        f"pass 'bad' failed at node 'op_1', after a, b: it is odd; the graph before it is in {tmp_path}"
    )
    assert isinstance(error.__cause__, NodeError)
    assert ctx.results["ran"] == ["a", "b", "bad"]


def test_other_errors_are_told_with_their_type(graph: Graph, ctx: PassContext) -> None:
    with pytest.raises(PassError, match=r"^pass 'bad' failed: ZeroDivisionError: by zero$"):
        Pipeline([Do("bad", fail(ZeroDivisionError("by zero")))]).run(graph, ctx)
    with pytest.raises(PassError, match=r"^pass 'bad' failed, after a: wrong value$"):
        Pipeline([A, Do("bad", fail(ValueError("wrong value")))]).run(graph, ctx)


def test_a_failure_in_an_inner_pipeline_is_told_once(graph: Graph, ctx: PassContext) -> None:
    inner = Pipeline([B, Do("bad", fail(ValueError("no")))])
    with pytest.raises(PassError, match=r"^pass 'bad' failed, after b: no$"):
        Pipeline([A, inner]).run(graph, ctx)


def test_interrupts_are_not_swallowed(graph: Graph, ctx: PassContext) -> None:
    with pytest.raises(KeyboardInterrupt):
        Pipeline([Do("bad", fail(KeyboardInterrupt()))]).run(graph, ctx)  # type: ignore[arg-type]


def make_cycle(graph: Graph, ctx: PassContext) -> None:
    with graph.edit() as edit:
        edit.set_inputs("op_0", [TensorRef("out")], [])


def read_a_missing_output(graph: Graph, ctx: PassContext) -> None:
    with graph.edit() as edit:
        edit.set_input("out", 0, TensorRef("op_2", 7))


@pytest.mark.parametrize(
    ("action", "message"), [(make_cycle, "there is a cycle through"), (read_a_missing_output, "op_2:7 is read")]
)
def test_a_pass_that_breaks_the_graph_is_caught_though_it_says_nothing(
    graph: Graph, ctx: PassContext, action: Any, message: str
) -> None:
    with pytest.raises(PassError, match=message) as caught:
        Pipeline([A, Do("bad", action), C]).run(graph, ctx)
    assert caught.value.failed == "bad"
    assert "it left" in str(caught.value)


def test_without_verify_nothing_is_checked(graph: Graph, ctx: PassContext) -> None:
    Pipeline([Do("bad", make_cycle), C], instruments=()).run(graph, ctx)
    assert ctx.results["ran"] == ["bad", "c"]


def test_whether_anything_changed_is_read_off_the_edits(graph: Graph, ctx: PassContext) -> None:
    def touch(graph: Graph, ctx: PassContext) -> None:
        with graph.edit() as edit:
            edit.add(Node("new", "NoOp"))

    def touch_nothing(graph: Graph, ctx: PassContext) -> None:
        with graph.edit() as edit:
            edit.replace(graph.node("op_0"))

    assert Pipeline([Do("touch", touch)]).run(graph, ctx).changed
    assert not Pipeline([A, Do("touch", touch_nothing)]).run(graph, ctx).changed


def test_the_registry_is_frozen_while_a_pipeline_runs(graph: Graph, ctx: PassContext) -> None:
    def register(graph: Graph, ctx: PassContext) -> None:
        ctx.registry.add_pass("late", Prune)

    with pytest.raises(PassError, match="the registry is frozen while a pipeline runs"):
        Pipeline([Do("bad", register)]).run(graph, ctx)
    ctx.registry.add_pass("after", Prune)
    with pytest.raises(RegistryError, match="there already"):
        ctx.registry.add_pass("after", Verify)  # type: ignore[arg-type]


def test_timing_measures_every_pass_in_order(graph: Graph, ctx: PassContext) -> None:
    timing = Timing()
    Pipeline([A, B, A], (timing,)).run(graph, ctx)
    assert [name for name, _ in timing.seconds] == ["a", "b", "a"]
    assert all(seconds >= 0 for _, seconds in timing.seconds)
    assert ctx.results["timing"] == tuple(timing.seconds)


def test_dumps_load_again_and_run(registry: Registry, tmp_path: Path) -> None:
    graph_def = build(lambda: tf.identity(chain(x(), 3), name="out"))
    pipeline = default_pipeline(minimum_segment_size=1).with_instruments(Dump(tmp_path / "new" / "folder"))
    result = graft(graph_def, ["out:0"], registry=registry, pipeline=pipeline)
    files = sorted((tmp_path / "new" / "folder").iterdir())
    assert [f.name for f in files][:2] == ["00_input.pb", "01_prune.pb"]
    assert [f.stem[3:] for f in files[1:]] == list(pipeline.names)
    want = run(graph_def, ["out:0"], {"x:0": X})[0]
    for file in (files[0], files[2], files[-1]):
        dumped = graph_pb2.GraphDef.FromString(file.read_bytes())
        assert run(dumped, ["out:0"], {"x:0": X})[0] == pytest.approx(want, abs=1e-5)
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_progress_and_logger_are_told(graph: Graph, caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[str, int, int]] = []
    ctx = PassContext(Registry(), progress=lambda what, done, total: told.append((what, done, total)))
    with caplog.at_level(logging.DEBUG, "tfgraft"):
        Pipeline([A, B]).run(graph, ctx)
    assert told == [("a", 0, 2), ("b", 1, 2), ("done", 2, 2)]
    assert [r.message for r in caplog.records] == ["a: ", "b: "]


def test_a_user_pass_in_the_default_pipeline(registry: Registry) -> None:
    def relu_to_softplus(graph: Graph, ctx: PassContext) -> None:
        with graph.edit() as edit:
            for node in graph:
                if node.op == "Relu":
                    edit.replace(Node(node.name, "Softplus", node.device, Attrs({"T": DType("float32")})))

    graph_def = build(lambda: tf.identity(chain(x(), 3), name="out"))
    pipeline = default_pipeline(minimum_segment_size=1).insert(Do("mine", relu_to_softplus), before="infer_shapes")
    result = graft(graph_def, ["out:0"], registry=registry, pipeline=pipeline)
    changed = graph_pb2.GraphDef.FromString(graph_def.SerializeToString())
    for node in changed.node:
        node.op = {"Relu": "Softplus"}.get(node.op, node.op)
    check(changed, result, ["out:0"], {"x:0": X})
