"""Builds that fail: the culprit is found, refused with its reason, and the rest is built all the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.passes.graft import X, build, chain, check, graft, native, x
from tfgraft.graph.views import node_view, tensor_info
from tfgraft.passes.base import PassError
from tfgraft.plugins.protocol import (
    Array,
    BuildContext,
    BuildError,
    BuiltEngine,
    Cluster,
    Device,
    EngineBuilder,
    Executor,
    Outputs,
)
from tfgraft.registry.entry import ANY, Converter
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


@pytest.fixture
def registry(registry: Registry) -> Registry:
    """A copy to register converters in."""
    return registry.copy()


def six(name: str = "out") -> None:
    tf.identity(chain(x(), 6), name=name)


def test_a_converter_that_raises_is_named_and_the_rest_is_built(registry: Registry) -> None:
    @registry.converter("Tanh", engine="onnxruntime")
    def broken(ctx: Any, view: Any) -> None:
        if view.name == "op_2":
            raise KeyError("no such thing")
        ctx.set(view, 0, ctx.node("Tanh", [ctx.get(view, 0)]))

    graph_def = build(six)
    result = graft(graph_def, ["out:0"], registry=registry)
    assert "op_2" in {n.name for n in result.graph_def.node}
    story = result.report.explain("op_2")
    assert story.node.fate == "native"
    assert story.node.code == "conversion-failed"
    assert "KeyError: 'no such thing'" in story.node.reason
    assert "test_build_engines" in story.node.reason, "whose converter it was"
    assert {d.severity for d in story.diagnostics} >= {"warning"}
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_a_converter_that_makes_an_invalid_node_is_found(registry: Registry) -> None:
    @registry.converter("Tanh", engine="onnxruntime")
    def invalid(ctx: Any, view: Any) -> None:
        op = "NoSuchOnnxOp" if view.name == "op_2" else "Tanh"
        ctx.set(view, 0, ctx.node(op, [ctx.get(view, 0)]))

    graph_def = build(six)
    result = graft(graph_def, ["out:0"], registry=registry)
    assert len(result.engines) == 2
    node = result.report.explain("op_2").node
    assert (node.fate, node.code) == ("native", "engine-rejected")
    assert "NoSuchOnnxOp" in node.reason
    assert [n.name for n in result.report.nodes if n.fate == "native" and n.code == "engine-rejected"] == ["op_2"]
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_a_converter_that_forgets_an_output_is_named(registry: Registry) -> None:
    @registry.converter("Tanh", engine="onnxruntime")
    def forgetful(ctx: Any, view: Any) -> None:
        return None

    graph_def = build(six)
    result = graft(graph_def, ["out:0"], registry=registry)
    assert {n.name for n in result.report.nodes if n.code == "conversion-failed"} == {"op_0", "op_2", "op_4"}
    check(graph_def, result, ["out:0"], {"x:0": X})


# A builder of our own: engines are lists of NumPy calls.

OPS: dict[str, Any] = {
    "Tanh": np.tanh,
    "Relu": lambda a: np.maximum(a, 0),
    "AddV2": np.add,
    "Mul": np.multiply,
    "Identity": lambda a: a,
}


class NumpyExecutor:
    """Runs the program step by step."""

    def __init__(self, program: Mapping[str, Any]) -> None:
        self._program = program

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        values: dict[str, Any] = dict(zip(self._program["inputs"], inputs, strict=True))
        for key, value in self._program["constants"].items():
            values[key] = np.asarray(value, np.float32)
        for op, reads, gives in self._program["steps"]:
            values[gives] = OPS[op](*(values[r] for r in reads))
        for i, name in enumerate(self._program["outputs"]):
            outputs.allocate(i, values[name].shape)[...] = values[name]


@dataclass(frozen=True)
class NumpyBuilder:
    """Builds float32 clusters; says that a cluster cannot be built if it holds a node of `bad`.

    Args:
        bad: names of nodes that break a build.
        error: how the build fails; the node is named only by an error that does so.
        names: whether `BuildError.node` tells the culprit.
    """

    bad: frozenset[str] = frozenset()
    error: type[Exception] = BuildError
    names: str = ""
    builds: list[tuple[str, ...]] = field(default_factory=list, compare=False)
    name: str = "numpy_test"
    converters: tuple[str, ...] = ("numpy_test",)

    def available(self) -> Support:
        return SUPPORTED

    def check_options(self, options: Mapping[str, Any]) -> None:
        if options:
            raise ValueError(f"unknown option {next(iter(options))}")

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        self.builds.append(cluster.nodes)
        if self.bad & set(cluster.nodes) or "everything" in self.bad:
            if self.error is BuildError:
                raise BuildError("it is too much", self.names or None)
            raise self.error("it is too much")
        graph = context.graph
        steps: list[Any] = []
        constants: dict[str, Any] = {}
        for name in cluster.nodes:
            if graph.node(name).op == "Const":
                continue
            view = node_view(graph, name)
            constants.update((str(i.ref), i.constant().tolist()) for i in view.inputs if i.is_constant)  # type: ignore[union-attr]
            steps.append((view.op, [str(i.ref) for i in view.inputs], f"{name}:0"))
        program = {
            "inputs": [str(ref) for ref in cluster.inputs],
            "outputs": [str(ref) for ref in cluster.outputs],
            "constants": constants,
            "steps": steps,
        }
        return BuiltEngine(
            self.name,
            json.dumps(program).encode(),
            tuple(tensor_info(graph, ref) for ref in cluster.inputs),
            tuple(tensor_info(graph, ref) for ref in cluster.outputs),
        )

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Executor:
        return NumpyExecutor(json.loads(engine.payload))


def numpy_registry(builder: NumpyBuilder) -> Registry:
    def convert(ctx: Any, view: Any) -> None:
        return None

    def check(view: Any) -> Support:
        return SUPPORTED if view.op in OPS else Unsupported("no-converter", "NumPy has no such op.", view.op)

    assert isinstance(builder, EngineBuilder)
    registry = Registry()
    registry.add_engine(builder)
    registry.add(Converter(ANY, "numpy_test", convert, check=check))
    return registry


def long() -> None:
    """Three clusters with a native op between them, the middle one with a side branch."""
    a = chain(x(), 5, "a")
    b = chain(native(a, "n1"), 9, "b")
    side = tf.multiply(b, a, name="side")
    tf.identity(chain(native(b, "n2"), 3, "c") + side, name="out")


def test_our_builder_builds() -> None:
    builder = NumpyBuilder()
    graph_def = build(long)
    result = graft(graph_def, ["out:0"], registry=numpy_registry(builder), engine="numpy_test")
    assert len(result.engines) == 3
    check(graph_def, result, ["out:0"], {"x:0": X})


@pytest.mark.parametrize("error", [BuildError, RuntimeError, MemoryError])
@pytest.mark.parametrize("bad", ["b_0", "b_4", "b_8", "side"])
def test_a_culprit_that_nobody_names_is_found_by_bisection(error: type[Exception], bad: str) -> None:
    builder = NumpyBuilder(frozenset({bad}), error)
    graph_def = build(long)
    result = graft(graph_def, ["out:0"], registry=numpy_registry(builder), engine="numpy_test")
    refused = {n.name: n for n in result.report.nodes if n.code == "build-failed"}
    assert set(refused) == {bad}
    assert "it is too much" in refused[bad].reason
    assert {n.name for n in result.graph_def.node} >= {bad}
    assert result.report.coverage > 0.8, "the rest is in engines"
    check(graph_def, result, ["out:0"], {"x:0": X})
    assert len(builder.builds) < 20, "bisection, not one after the other"


def test_several_culprits_are_found_one_after_the_other() -> None:
    bad = {"b_1", "b_5", "a_2"}
    builder = NumpyBuilder(frozenset(bad))
    graph_def = build(long)
    result = graft(graph_def, ["out:0"], registry=numpy_registry(builder), engine="numpy_test")
    assert {n.name for n in result.report.nodes if n.code == "build-failed"} == bad
    check(graph_def, result, ["out:0"], {"x:0": X})


@pytest.mark.parametrize("named", ["b_4", "b_4/no/such/node", "n1", "add/y"])
def test_a_name_that_is_no_node_of_the_cluster_does_not_mislead(named: str) -> None:
    builder = NumpyBuilder(frozenset({"b_4"}), names=named)
    graph_def = build(long)
    result = graft(graph_def, ["out:0"], registry=numpy_registry(builder), engine="numpy_test")
    assert {n.name for n in result.report.nodes if n.code == "build-failed"} == {"b_4"}
    check(graph_def, result, ["out:0"], {"x:0": X})


@pytest.mark.parametrize("error", [BuildError, ZeroDivisionError])
def test_a_builder_that_always_fails_leaves_everything_native(error: type[Exception]) -> None:
    builder = NumpyBuilder(frozenset({"everything"}), error)
    graph_def = build(long)
    result = graft(graph_def, ["out:0"], registry=numpy_registry(builder), engine="numpy_test")
    assert result.engines == []
    assert result.report.clusters == ()
    assert result.report.coverage == 0
    assert any(d.code == "build-failed" and "it is too much" in d.message for d in result.ctx.diagnostics)
    check(graph_def, result, ["out:0"], {"x:0": X})
    assert "nothing was converted" in str(result.report)


def test_what_is_left_of_a_cluster_must_be_large_enough() -> None:
    builder = NumpyBuilder(frozenset({"b_4"}))
    graph_def = build(long)
    result = graft(graph_def, ["out:0"], registry=numpy_registry(builder), engine="numpy_test", minimum_segment_size=7)
    reasons = {n.name: n.reason for n in result.report.nodes if n.fate == "left out"}
    assert "minimum_segment_size is 7" in reasons["b_3"]
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_the_pieces_of_a_failed_cluster_count_as_engines() -> None:
    builder = NumpyBuilder(frozenset({"b_4"}))
    graph_def = build(long)
    registry = numpy_registry(builder)
    result = graft(graph_def, ["out:0"], registry=registry, engine="numpy_test", maximum_engines=1)
    assert len(result.engines) == 1
    assert any("maximum_engines=1" in n.reason for n in result.report.nodes if n.name.startswith("b_"))
    check(graph_def, result, ["out:0"], {"x:0": X})


def test_ids_are_in_order_and_facts_agree() -> None:
    builder = NumpyBuilder(frozenset({"a_2", "b_4"}))
    graph_def = build(long)
    result = graft(graph_def, ["out:0"], registry=numpy_registry(builder), engine="numpy_test")
    ids = [c.id for c in result.report.clusters]
    assert ids == [f"engine_{i}" for i in range(len(ids))]
    for cluster in result.report.clusters:
        members = {n.name for n in result.report.nodes if n.cluster == cluster.id}
        assert members == {n for n in cluster.nodes if n in members}
        assert members
    assert {e.name for e in result.engines} == {c.engine_node for c in result.report.clusters}


def test_an_engine_that_is_not_available_or_not_there_is_an_error() -> None:
    class Absent(NumpyBuilder):
        def available(self) -> Support:
            return Unsupported("no-engine", "There is no NumPy here.", hint="Install it.")

    graph_def = build(six)
    with pytest.raises(PassError, match=r"There is no NumPy here\. Install it\.") as error:
        graft(graph_def, ["out:0"], registry=numpy_registry(Absent()), engine="numpy_test")
    assert error.value.failed == "build_engines"
    with pytest.raises(PassError, match="there is no engine 'nothing'; registered are: numpy_test"):
        graft(graph_def, ["out:0"], registry=numpy_registry(NumpyBuilder()), engine="nothing")
