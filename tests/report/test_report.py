"""Reports: what became of every node and why, for people and for machines."""

from __future__ import annotations

import json
from typing import Any

import pytest
import tensorflow as tf

import tfgraft
from tests.graph.models import function
from tests.passes.graft import build, chain, graft, native, v1, x
from tfgraft.registry.registry import PluginProblem, Registry
from tfgraft.registry.support import CODES
from tfgraft.report.report import Report


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.default()


def model() -> None:
    a = chain(x(), 5, "body/a")
    b = chain(native(a, "middle"), 1, "tail")
    tf.matmul(b, tf.eye(4) * 2.0, name="out")
    tf.sin(a, name="unused")


@pytest.fixture(scope="module")
def report(registry: Registry) -> Report:
    return graft(build(model), ["out:0"], registry=registry, minimum_segment_size=3).report


def test_coverage_counts_ops_and_no_constants(report: Report) -> None:
    fates = {n.name: n.fate for n in report.nodes}
    assert fates["body/a_0"] == "engine"
    assert fates["middle"] == "native"
    assert fates["out"] == "left out"
    assert sum(f == "constant" for f in fates.values()) >= 2
    counted = [f for f in fates.values() if f in ("engine", "native", "left out")]
    assert report.coverage == counted.count("engine") / len(counted)
    assert Report("none", (), (), ()).coverage == 0.0


def test_every_node_has_a_reason_if_it_is_in_no_engine(report: Report) -> None:
    for node in report.nodes:
        if node.fate in ("native", "left out"):
            assert node.reason, node
            assert node.reason.endswith("."), node
        if node.fate == "native":
            assert node.code in CODES or "/" in node.code
        if node.fate == "engine":
            assert node.cluster in {c.id for c in report.clusters}


def test_explaining_a_node_in_an_engine(report: Report) -> None:
    story = report.explain("body/a_0")
    text = str(story)
    assert text.startswith("body/a_0 (Tanh): runs in engine engine_0")
    assert "converted by onnx" in text
    assert story.diagnostics == ()


def test_explaining_a_node_that_stays(report: Report) -> None:
    story = report.explain("middle")
    text = str(story)
    assert text.startswith("middle (StringToNumber): stays in TensorFlow")
    assert f"why: [{story.node.code}]" in text
    assert story.node.asked
    assert any(d.node == "middle" for d in story.diagnostics)


def test_explaining_what_was_not_worth_it(report: Report) -> None:
    text = str(report.explain("out"))
    assert "could run in an engine, but stays in TensorFlow" in text
    assert "minimum_segment_size is 3" in text


@pytest.mark.parametrize("name", ["body/a_3", "body/a_3:0", "^body/a_3"])
def test_tensor_names_will_do(report: Report, name: str) -> None:
    assert report.explain(name).node.name == "body/a_3"


def test_a_name_that_is_not_there_brings_the_nearest(report: Report) -> None:
    with pytest.raises(KeyError, match="there is no node 'body/a_33' in the graph; near it are body/a_3"):
        report.explain("body/a_33")
    with pytest.raises(KeyError, match="there is no node 'zzzzzzzz' in the graph"):
        report.explain("zzzzzzzz")


def test_nodes_of_functions_and_of_the_graph_with_one_name(registry: Registry) -> None:
    @function(tf.TensorSpec([2, 4], tf.float32))
    def helper(v: Any) -> Any:
        return tf.strings.as_string(tf.tanh(v, name="inner"), name="same")

    @function(tf.TensorSpec([2, 4], tf.float32, name="x"))
    def main(x: Any) -> Any:
        return tf.identity(helper(x), name="out"), tf.nn.relu(x, name="same")

    graph_def = main.get_concrete_function().graph.as_graph_def()
    report = graft(graph_def, ["out:0", "same:0"], registry=registry).report
    inner = report.explain("inner")
    assert inner.node.function
    assert f"in function {inner.node.function}" in str(inner)
    same = report.explain("same")
    assert (same.node.op, same.node.function) == ("Relu", ""), "the graph's own node comes first"
    assert all(d.function == "" for d in same.diagnostics), "and tells its own story only"


def test_nodes_that_are_gone_are_explained() -> None:
    graph_def = build(model)
    grafted = tfgraft.optimize(graph_def, outputs=["out:0"])
    story = grafted.report.explain("unused")
    assert story.node.fate == "replaced"
    assert "is gone: optimized away or decomposed" in str(story)
    names = [(n.function, n.name) for n in grafted.report.nodes]
    assert len(names) == len(set(names)), "each node once"
    assert {n.name for n in graph_def.node} <= {n.name for n in grafted.report.nodes}


def test_a_plan_says_what_would_be_done_and_builds_nothing() -> None:
    graph_def = build(model)
    plan = tfgraft.plan(graph_def, outputs=["out:0"])
    done = tfgraft.optimize(graph_def, outputs=["out:0"]).report
    assert [c.nodes for c in plan.clusters] == [c.nodes for c in done.clusters]
    assert {c.engine_node for c in plan.clusters} == {""}
    assert plan.coverage == done.coverage
    assert "build_engines" not in dict(plan.seconds)


def test_json_holds_everything(report: Report) -> None:
    data = json.loads(report.to_json(indent=1))
    assert data == json.loads(json.dumps(report.to_dict()))
    assert set(data) >= {"engine", "coverage", "clusters", "nodes", "refusals", "diagnostics", "seconds"}
    assert len(data["nodes"]) == len(report.nodes)
    assert data["clusters"][0]["inputs"] == ["x:0"]
    assert all(set(r) == {"op", "code", "count"} for r in data["refusals"])
    assert "tag_support" in data["seconds"]


def test_refusals_are_counted_by_op_and_code(report: Report) -> None:
    assert sum(report.refusals.values()) == sum(
        n.fate == "native" and n.code not in ("boundary", "no-op") for n in report.nodes
    )
    counts = list(report.refusals.values())
    assert counts == sorted(counts, reverse=True)


def test_the_text_tells_clusters_refusals_and_what_was_left_out(report: Report) -> None:
    text = str(report)
    assert text.startswith("1 clusters for onnxruntime: ") or text.startswith("1 cluster for onnxruntime: ")
    assert "engine_0: " in text
    assert "stays in TensorFlow:" in text
    assert "StringToNumber [" in text
    assert "left out:" in text


def test_nothing_converted_is_said() -> None:
    graph_def = build(lambda: native(v1.placeholder(tf.float32, [2], "x"), "out"))
    report = graft(graph_def, ["out:0"], minimum_segment_size=3).report
    assert "nothing was converted; the graph stays as it was" in str(report)


def test_broken_plugins_are_in_the_report() -> None:
    registry = Registry.default()
    registry.add_problem(PluginProblem("mine", "my-plugin 1.0", "ImportError: no module"))
    report = graft(build(model), ["out:0"], registry=registry).report
    (told,) = [d for d in report.diagnostics if d.code == "plugin"]
    assert "my-plugin 1.0" in told.message
    assert told.message in str(report)
