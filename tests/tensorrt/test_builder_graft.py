"""Grafting with engine="tensorrt" on a machine without a GPU: engines are built, and TensorFlow runs their segments."""

from __future__ import annotations

import importlib.util
import json
import logging
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
import tfgraft.runtime
from tests.passes.graft import X, build, native, run, x
from tests.tensorrt.engines import QUICK
from tfgraft.registry.registry import Registry
from tfgraft.runtime.node import read_metadata

pytestmark = pytest.mark.skipif(
    bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU, see benchmarks/gpu"
)

REASON = (
    "it could not be loaded: it runs on the GPU and TensorFlow has placed the node on the CPU, because it sees no GPU "
    "here"
)


def two_engines() -> None:
    """Two clusters around an op that stays native."""
    a = tf.tanh(tf.sigmoid(tf.tanh(x(), name="a0"), name="a1"), name="a2")
    tf.nn.relu(tf.tanh(tf.sigmoid(native(a, "native"), name="b0"), name="b1"), name="out")


def graft(graph_def: Any, registry: Registry, **options: Any) -> Any:
    pipeline = tfgraft.default_pipeline(minimum_segment_size=1, cut_light=False)
    return tfgraft.optimize(
        graph_def, outputs=["out:0"], engine="tensorrt", registry=registry, pipeline=pipeline, **{**QUICK, **options}
    )


def engines_of(graph_def: Any) -> list[Any]:
    return [n for n in graph_def.node if n.op == tfgraft.runtime.OP_NAME]


@pytest.mark.parametrize("route", ["native", "onnx"])
def test_engines_are_built(route: str, everything: Registry) -> None:
    grafted = graft(build(two_engines), everything, route=route, compute_capabilities=("8.6", "8.9"))
    engines = engines_of(grafted.graph_def)
    assert [n.attr["engine"].s for n in engines] == [b"tensorrt"] * 2
    assert [n.device for n in engines] == [""] * 2, "TensorFlow chooses the GPU where there is one"
    for node in engines:
        metadata = read_metadata(node.attr["metadata"].s).metadata
        assert metadata["route"] == route
        assert metadata["compute_capabilities"] == ["8.6", "8.9"]
    assert all(c.build["layers"] >= 3 for c in grafted.report.clusters)


def test_segments_run_and_say_why_once(everything: Registry, caplog: pytest.LogCaptureFixture) -> None:
    graph_def = build(two_engines)
    grafted = graft(graph_def, everything).graph_def
    for i, node in enumerate(engines_of(grafted)):  # a warning is given once for a name in a process
        node.attr["metadata"].s = json.dumps({**json.loads(node.attr["metadata"].s), "name": f"says_{i}"}).encode()
    tfgraft.runtime.reset_counters()
    want = run(graph_def, ["out:0"], {"x:0": X})[0]
    with caplog.at_level(logging.WARNING, "tfgraft"):
        for _ in range(3):
            np.testing.assert_allclose(run(grafted, ["out:0"], {"x:0": X})[0], want, rtol=1e-6)
    warnings = [r.getMessage() for r in caplog.records if r.name == "tfgraft"]
    assert len(warnings) == 2, "one for each engine, however often it runs"
    assert all(REASON in text for text in warnings)
    for i in range(2):
        counted = tfgraft.runtime.counters().engines[f"says_{i}"]
        assert (counted.calls, counted.fallbacks, counted.loads) == (3, 3, 0)
        assert dict(counted.causes) == {REASON: 3}


def test_strict_is_an_error(everything: Registry) -> None:
    grafted = graft(build(two_engines), everything, strict=True)
    with pytest.raises(tf.errors.FailedPreconditionError, match="sees no GPU here"):
        run(grafted.graph_def, ["out:0"], {"x:0": X})


def test_what_the_parser_refuses_stays_native_and_the_rest_is_built(everything: Registry) -> None:
    def model() -> None:
        value = tf.tanh(tf.sigmoid(x(), name="a0"), name="a1")
        found, _ = tf.raw_ops.Unique(x=tf.reshape(value, [-1]), name="unique")
        tf.add(tf.tanh(tf.reduce_sum(found), name="b0"), value, name="out")

    graph_def = build(model)
    grafted = graft(graph_def, everything, route="onnx")
    story = grafted.report.explain("unique")
    assert (story.node.fate, story.node.code) == ("native", "engine-rejected")
    assert "TensorRT's ONNX parser refuses Unique" in story.node.reason
    assert {"a0", "a1", "b0"} <= {name for c in grafted.report.clusters for name in c.nodes}
    want, got = (run(g, ["out:0"], {"x:0": X})[0] for g in (graph_def, grafted.graph_def))
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_a_profile_that_cannot_be_stops_the_work(everything: Registry) -> None:
    with pytest.raises(tfgraft.passes.pipeline.PassError, match="option profiles names 'y'"):
        graft(build(two_engines), everything, profiles={"y": ((1, 4), (1, 4), (1, 4))})


def test_bad_options_are_told_before_the_work(everything: Registry) -> None:
    with pytest.raises(ValueError, match="engine tensorrt has no option 'fp16'"):
        graft(build(two_engines), everything, fp16=True)
    with pytest.raises(ValueError, match="route is one of"):
        tfgraft.plan(build(two_engines), outputs=["out:0"], engine="tensorrt", registry=everything, route="uff")


def test_planning_asks_the_converters_of_the_route(everything: Registry) -> None:
    def model() -> None:
        tf.raw_ops.Unique(x=tf.tanh(x(4)), name="unique")
        tf.identity(tf.reduce_sum(tf.compat.v1.get_default_graph().get_tensor_by_name("unique:0")), name="out")

    def fate(route: str) -> tuple[str, str]:
        report = tfgraft.plan(
            build(model), outputs=["out:0"], engine="tensorrt", registry=everything, route=route, minimum_segment_size=1
        )
        node = report.explain("unique").node
        return node.fate, node.code

    assert fate("native") == ("native", "no-converter")
    assert fate("onnx")[1] == ""


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="full TensorRT is installed")
def test_a_flavour_that_is_not_installed_stops_the_work(everything: Registry) -> None:
    with pytest.raises(tfgraft.passes.pipeline.PassError, match=r"TensorRT cannot be imported.*pip install 'tfgraft"):
        graft(build(two_engines), everything, flavour="tensorrt")
