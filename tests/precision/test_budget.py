"""Accuracy budgets: layers are given back to float32 until the metric holds, the most sensitive first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.graph.models import function
from tests.precision.nets import error, images, residual_net
from tfgraft.precision.budget import Predict


def _sensitive() -> Any:
    """Three products in a row; the middle one has kernels and inputs that eight bits are far too coarse for."""
    random = np.random.default_rng(0)
    a, b, c = ((random.standard_normal((8, 8)) / 3).astype(np.float32) for _ in range(3))
    b[0, :] *= 1e-4
    spread = np.ones(8, np.float32)
    spread[0] = 1e4

    @function(tf.TensorSpec((None, 8), tf.float32, name="x"))
    def net(x: Any) -> Any:
        y = tf.matmul(x, a, name="first") * spread
        y = tf.matmul(tf.identity(y), b, name="second")
        return tf.nn.softmax(tf.matmul(tf.nn.tanh(y), c, name="third"))

    return net


DATA = [np.random.default_rng(i).standard_normal((16, 8)).astype(np.float32) for i in range(6)]


@pytest.fixture(scope="module")
def sensitive() -> Any:
    return _sensitive()


def test_the_sensitive_layer_is_given_back(sensitive: Any) -> None:
    plain = tfgraft.optimize(sensitive, precision="INT8", calibration=DATA, observer="max")
    loss = error(sensitive(DATA[0]), plain.function()(tf.constant(DATA[0]))[0])
    budget = tfgraft.Budget(tfgraft.Fidelity(DATA[:2]), max_drop=loss / 4)
    grafted = tfgraft.optimize(
        sensitive, precision="INT8", calibration=DATA, observer="max", accuracy=budget, strict=True
    )
    accuracy = grafted.report.accuracy
    assert accuracy is not None
    assert accuracy.holds
    assert [name.rpartition("/")[2] for name in accuracy.kept] == ["second"]
    assert grafted.report.precisions == {"INT8": 2}
    assert error(sensitive(DATA[0]), grafted.function()(tf.constant(DATA[0]))[0]) <= loss / 4
    assert [p.kept for p in accuracy.curve] == sorted(p.kept for p in accuracy.curve)
    assert accuracy.curve[0].share == 1
    assert accuracy.curve[0].drop > accuracy.max_drop
    assert "within" in str(grafted.report)


def test_nothing_is_given_back_where_the_budget_holds(sensitive: Any) -> None:
    budget = tfgraft.Budget(tfgraft.Fidelity(DATA[:2]), max_drop=10)
    report = tfgraft.optimize(sensitive, precision="INT8", calibration=DATA, accuracy=budget).report
    assert report.accuracy is not None
    assert report.accuracy.kept == ()
    assert len(report.accuracy.curve) == 1


def test_a_budget_that_nothing_holds_gives_all_back(sensitive: Any) -> None:
    budget = tfgraft.Budget(tfgraft.Fidelity(DATA[:2]), max_drop=0)
    report = tfgraft.optimize(sensitive, precision="INT8", calibration=DATA, accuracy=budget).report
    assert report.accuracy is not None
    assert len(report.accuracy.kept) == 3
    assert report.precisions == {}


def test_a_metric_of_the_users_with_labels() -> None:
    net = residual_net()
    data = images(6)
    labels = [np.asarray(net(x)).argmax(-1) for x in data]
    asked: list[float] = []

    def accuracy(predict: Predict) -> float:
        right = [(predict(x)[0].argmax(-1) == y).mean() for x, y in zip(data, labels, strict=True)]
        asked.append(float(np.mean(right)))
        return asked[-1]

    grafted = tfgraft.optimize(
        net, precision="INT8", calibration=data, accuracy=tfgraft.Budget(accuracy, max_drop=0.05)
    )
    report = grafted.report.accuracy
    assert report is not None
    assert asked[0] == report.baseline == 1
    assert asked[-1] == report.score
    assert report.holds


def test_agreement_needs_no_labels() -> None:
    net = residual_net()
    budget = tfgraft.Budget(tfgraft.Agreement(images(6)), max_drop=0.1)
    report = tfgraft.optimize(net, precision="INT8", calibration=images(4), accuracy=budget).report.accuracy
    assert report is not None
    assert report.baseline == 1
    assert 0.9 <= report.score <= 1


def test_layers_are_ranked_by_the_metric_where_there_is_a_table_only(sensitive: Any) -> None:
    table = tfgraft.calibrate(sensitive, DATA)
    budget = tfgraft.Budget(tfgraft.Fidelity(DATA[:1]), max_drop=1e-4)
    report = tfgraft.optimize(sensitive, precision="INT8", calibration=table, accuracy=budget).report.accuracy
    assert report is not None
    assert report.holds
    assert report.sensitivity[0][0].endswith("second")


def test_half_precision_has_a_budget_too(sensitive: Any) -> None:
    budget = tfgraft.Budget(tfgraft.Fidelity(DATA[:2]), max_drop=1e-6)
    report = tfgraft.optimize(sensitive, precision="FP16", calibration=DATA, accuracy=budget).report
    assert report.accuracy is not None
    assert report.accuracy.holds
    assert report.accuracy.curve[0].drop > 1e-6


def test_the_curve_as_a_picture(sensitive: Any, tmp_path: Path) -> None:
    budget = tfgraft.Budget(tfgraft.Fidelity(DATA[:2]), max_drop=1e-3)
    report = tfgraft.optimize(sensitive, precision="INT8", calibration=DATA, accuracy=budget).report.accuracy
    assert report is not None
    report.plot(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tfgraft.Budget("accuracy", 0.1), "metric is a function"),  # type: ignore[arg-type]
        (lambda: tfgraft.Budget(lambda predict: 1.0, -1), "max_drop is a number, 0 or more"),
        (lambda: tfgraft.Budget(lambda predict: 1.0, float("nan")), "max_drop"),
        (lambda: tfgraft.Budget(lambda predict: 1.0, 1, ranking=0), "ranking"),
    ],
)
def test_mistakes(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_metric_without_a_number(sensitive: Any) -> None:
    budget = tfgraft.Budget(lambda predict: float("nan"), 0.1)
    with pytest.raises(ValueError, match="the metric gave no number"):
        tfgraft.optimize(sensitive, precision="INT8", calibration=DATA, accuracy=budget)
    with pytest.raises(ValueError, match="no feeds to compare"):
        tfgraft.optimize(
            sensitive, precision="INT8", calibration=DATA, accuracy=tfgraft.Budget(tfgraft.Fidelity([]), 0.1)
        )
