"""What a plan says of times, without a run. Engines have figures of their own, so that it is known who wins."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.choice.engines import Engine, registry_with
from tests.passes.graft import build, v1
from tfgraft.choice.figures import FIGURES, Figures
from tfgraft.load import load
from tfgraft.load.model import LoadedModel

SLOW = Figures(call=50, tensor=2, op=1, kernel=0, convolution=1, depthwise=1, product=1, weights=1, elements=1)
QUICK = Figures(
    call=50, tensor=2, op=1, kernel=0, convolution=1e3, depthwise=1e3, product=1e3, weights=1e3, elements=1e3
)


@dataclass(frozen=True)
class Figured(Engine):
    """An engine with figures."""

    own: Figures = field(default=QUICK)

    def figures(self, options: Mapping[str, Any]) -> Figures | None:
        return self.own


def _model(body: Callable[[Any], Any], *shape: int | None) -> LoadedModel:
    def whole() -> None:
        tf.identity(body(v1.placeholder(tf.float32, shape or (1, 56, 56, 64), "x")), name="out")

    return load(build(whole), outputs=["out"])


def _convolutions(x: Any) -> Any:
    filters = np.ones((3, 3, 64, 64), np.float32)
    for _ in range(4):
        x = tf.nn.relu(tf.nn.conv2d(x, filters, 1, "SAME"))
    return x


def _tiny(x: Any) -> Any:
    return tf.tanh(x * 2.0) + 1.0


def _plan(loaded: LoadedModel, *engines: Engine, **more: Any) -> tfgraft.Report:
    registry = registry_with(*engines, only=more.pop("only", None))
    return tfgraft.plan(loaded, engine=[e.name for e in engines], registry=registry, **more)


def test_large_convolutions_are_estimated_to_win() -> None:
    report = tfgraft.plan(_model(_convolutions))
    (one,) = report.estimates
    assert one.quickest == "onnxruntime"
    assert one.gain > 0
    assert one.cluster == report.clusters[0].id
    assert "estimated, not measured: engine_0: onnxruntime would be the quickest" in str(report)


def test_three_light_ops_are_not() -> None:
    report = tfgraft.plan(_model(_tiny, 1, 8))
    (one,) = report.estimates
    assert one.quickest == "TensorFlow"
    assert one.gain == 0
    assert set(one.milliseconds) == {"TensorFlow", "onnxruntime"}


def test_the_story_of_a_node_has_the_estimate() -> None:
    report = tfgraft.plan(_model(_convolutions))
    assert "estimated, not measured" in str(report.explain("Conv2D"))
    (data,) = json.loads(report.to_json())["estimates"]
    assert data["quickest"] == "onnxruntime"
    assert set(data["milliseconds"]) == {"TensorFlow", "onnxruntime"}


def test_the_engine_with_the_better_figures_gets_the_cluster() -> None:
    report = _plan(_model(_convolutions), Figured("slow", own=SLOW), Figured("quick"))
    assert [c.engine for c in report.clusters] == ["quick"]
    (one,) = report.estimates
    assert (one.quickest, one.cluster) == ("quick", "engine_0")
    assert set(one.milliseconds) == {"TensorFlow", "slow", "quick"}
    assert report.explain("Conv2D").node.fate == "engine"
    assert report.explain("Conv2D").node.cluster == "engine_0"


def test_a_cluster_that_cannot_win_stays_and_the_plan_says_why() -> None:
    report = _plan(_model(_tiny, 1, 8), Figured("slow", own=SLOW), Figured("quick"))
    assert not report.clusters
    node = report.explain("Tanh").node
    assert node.fate == "left out"
    assert "By an estimate TensorFlow is the quickest" in node.reason
    assert "quick 0.0" in node.reason
    assert "ms" in node.reason


def test_parts_go_to_different_engines() -> None:
    """Each engine takes what the other does not."""
    loaded = _model(lambda x: tf.linalg.matmul(tf.reshape(_convolutions(x), [56, -1]), _large(), transpose_a=False))
    only = {"a": ["Conv2D", "Relu"], "b": ["Reshape", "MatMul"]}
    report = _plan(loaded, Figured("a"), Figured("b"), only=only, minimum_segment_size=1)
    assert [(c.id, c.engine) for c in report.clusters] == [("engine_0", "a"), ("engine_1", "b")]
    assert report.explain("MatMul").node.cluster == "engine_1"
    assert [e.cluster for e in report.estimates] == ["engine_0", "engine_1"]
    assert not any(refusal for refusal in report.refusals if refusal[0] in ("Conv2D", "MatMul"))


def _large() -> Any:
    return np.ones((56 * 64, 1024), np.float32)


def test_what_overlaps_with_something_better_is_left_out() -> None:
    """`all` takes everything slowly; `part` takes the convolutions, and saves more."""
    loaded = _model(lambda x: tf.nn.elu(tf.nn.softplus(_convolutions(x))))
    middling = Figures(50, 2, 1, 0, FIGURES["TensorFlow"].convolution * 1.1, 1, 1, 1, 1e3)
    report = _plan(loaded, Figured("all", own=middling), Figured("part"), only={"part": ["Conv2D", "Relu"]})
    assert [c.engine for c in report.clusters] == ["part"]
    assert report.explain("Softplus").node.fate == "left out"
    assert "lost nodes to another" in report.explain("Softplus").node.reason
    assert len(report.estimates) == 2


def test_without_figures_it_is_the_plan_of_whom_takes_most() -> None:
    loaded = _model(lambda x: tf.nn.elu(tf.nn.softplus(_convolutions(x))))
    report = _plan(loaded, Engine("part"), Engine("all"), only={"part": ["Conv2D", "Relu"]})
    assert [c.engine for c in report.clusters] == ["all"]
    assert "no figures" in str(report.estimates[0])


def test_sizes_that_are_assumed_are_told_and_used() -> None:
    loaded = _model(_convolutions, None, None, None, 64)
    open_, fixed = (
        tfgraft.plan(loaded).estimates[0],
        tfgraft.plan(_model(_convolutions, 1, 1, 1, 64)).estimates[0],
    )
    assert open_.assumed == ("x taken as [1, 1, 1, 64]",)
    assert not fixed.assumed
    assert open_.milliseconds["TensorFlow"] == pytest.approx(fixed.milliseconds["TensorFlow"])


def test_images_are_assumed_as_values_are_made_up() -> None:
    first = np.ones((3, 3, 3, 64), np.float32)
    report = tfgraft.plan(_model(lambda x: _convolutions(tf.nn.conv2d(x, first, 1, "SAME")), None, None, None, 3))
    assert report.estimates[0].assumed == ("x taken as [1, 224, 224, 3]",)


def test_lower_precision_is_not_estimated() -> None:
    assert tfgraft.plan(_model(_convolutions)).estimates
    assert not tfgraft.plan(_model(_convolutions), precision="FP16").estimates
