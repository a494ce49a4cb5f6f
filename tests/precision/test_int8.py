"""optimize(precision="INT8"): numbers, engines, tables, observers, models that bring their ranges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.graph.models import function
from tests.precision.nets import error, images, residual_net
from tfgraft.calibration.table import CalibrationTable
from tfgraft.errors import FeedError
from tfgraft.runtime import counters


def _run(grafted: Any, x: np.ndarray) -> np.ndarray:
    (out,) = grafted.function()(tf.constant(x))
    return np.asarray(out)


@pytest.fixture(scope="module")
def net() -> Any:
    return residual_net()


@pytest.fixture(scope="module")
def table(net: Any) -> CalibrationTable:
    return tfgraft.calibrate(net, images(8))


@pytest.mark.parametrize("engine", ["onnxruntime", "reference"])
@pytest.mark.parametrize("observer", ["max", "percentile", "mse", "entropy"])
def test_int8_is_near_float32(net: Any, table: CalibrationTable, engine: str, observer: str) -> None:
    grafted = tfgraft.optimize(
        net, precision="INT8", calibration=table, engine=engine, observer=observer, strict=True, verify=True
    )
    assert grafted.report.precisions == {"INT8": 4}
    (x,) = images(1, seed=1)
    assert error(net(x), _run(grafted, x)) < 0.03
    assert all(check.ok for check in grafted.report.verified)


def test_data_in_every_form_gives_the_same_engine(net: Any, tmp_path: Path) -> None:
    data = images(3)
    np.savez(tmp_path / "x.npz", x=np.concatenate(data))
    table = tfgraft.calibrate(net, data)
    table.save(tmp_path / "t.json")
    forms: list[Any] = [
        data,
        iter(data),
        lambda: data,
        [{"x": d} for d in data],
        tf.data.Dataset.from_generator(lambda: iter(data), output_signature=tf.TensorSpec((4, 16, 16, 3))),
        table,
        tmp_path / "t.json",
        str(tmp_path / "t.json"),
    ]
    (x,) = images(1, seed=1)
    results = [_run(tfgraft.optimize(net, precision="INT8", calibration=form, observer="max"), x) for form in forms]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
    npz = tfgraft.optimize(net, precision="int8", calibration=tmp_path / "x.npz", observer="max")
    np.testing.assert_array_equal(_run(npz, x), results[0])


def test_int8_without_data_says_what_to_give(net: Any) -> None:
    with pytest.raises(ValueError, match=r"needs the ranges of activations: give calibration="):
        tfgraft.optimize(net, precision="INT8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"precision": "INT4"}, "one of FP32, FP16, BF16, INT8, not 'INT4'"),
        ({"precision": 8}, "one of FP32"),
        ({"precision": "INT8", "calibration": [], "observer": "kl"}, "no observer 'kl'"),
        ({"precision": "INT8", "calibration": []}, "no calibration data"),
        ({"precision": "INT8", "calibration": [np.zeros((1, 3))]}, "Feed 0 of the calibration data"),
        ({"precision": "INT8", "calibration": "nothing.json"}, "There is no calibration table"),
        ({"precision": "INT8", "calibration": "nothing.npz"}, "There is no file"),
    ],
)
def test_mistakes(net: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, FeedError), match=message):
        tfgraft.optimize(net, **arguments)


def test_a_table_of_another_model_leaves_layers_in_float32(net: Any) -> None:
    @function(tf.TensorSpec((None, 4), tf.float32, name="y"))
    def other(y: Any) -> Any:
        return tf.matmul(y, tf.ones((4, 4)))

    table = tfgraft.calibrate(other, [np.ones((2, 4), np.float32)])
    report = tfgraft.optimize(net, precision="INT8", calibration=table).report
    assert report.precisions == {}
    assert any(d.code == "no-range" and "saw nothing of" in d.message for d in report.diagnostics)
    assert any("No convolution or product" in d.message for d in report.diagnostics)


def test_constant_activations_stay_in_float32() -> None:
    @function(tf.TensorSpec((None, 4), tf.float32, name="y"))
    def model(y: Any) -> Any:
        return tf.nn.softmax(tf.matmul(tf.nn.relu(-tf.abs(y)), tf.ones((4, 4))))

    report = tfgraft.optimize(model, precision="INT8", calibration=[np.ones((2, 4), np.float32)]).report
    assert any("only zeros" in d.message for d in report.diagnostics)


def test_a_model_with_ranges_of_its_own_needs_no_data() -> None:
    kernel = np.random.default_rng(0).uniform(-1, 1, (3, 3, 3, 4)).astype(np.float32)

    @function(tf.TensorSpec((None, 8, 8, 3), tf.float32, name="x"))
    def trained(x: Any) -> Any:
        x = tf.quantization.fake_quant_with_min_max_args(x, -1, 127 / 128)
        k = tf.quantization.fake_quant_with_min_max_vars(kernel, -1.0, 127 / 128)
        y = tf.nn.relu(tf.nn.conv2d(x, k, 1, "SAME"))
        return tf.nn.softmax(tf.quantization.fake_quant_with_min_max_args(y, 0, 6))

    grafted = tfgraft.optimize(trained, precision="INT8", strict=True)
    assert grafted.report.precisions == {"INT8": 1}
    x = np.random.default_rng(1).uniform(-1, 1, (2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(_run(grafted, x), trained(x), atol=1e-2)


def test_saved_and_run_without_falling_back(net: Any, table: CalibrationTable, tmp_path: Path) -> None:
    grafted = tfgraft.optimize(net, precision="INT8", calibration=table)
    grafted.save(tmp_path / "saved")
    loaded = tfgraft.load_saved_model(str(tmp_path / "saved"))
    (x,) = images(1, seed=1)
    (out,) = loaded.signatures["serving_default"](x=tf.constant(x)).values()
    np.testing.assert_array_equal(out, _run(grafted, x))
    assert all(each.fallbacks == 0 for each in counters().engines.values())


def test_the_segment_computes_the_same(net: Any, table: CalibrationTable) -> None:
    """Without an engine, TensorFlow runs the quantized nodes themselves."""
    grafted = tfgraft.optimize(net, precision="INT8", calibration=table, verify=True)
    (check,) = grafted.report.verified
    assert check.engine_error < 5e-3
    assert check.precision_error is not None
    assert 0 < check.precision_error < 0.05


def test_a_plan_says_what_would_be_in_int8(net: Any, table: CalibrationTable) -> None:
    assert tfgraft.plan(net, precision="INT8").precisions == {"INT8": 4}
    assert tfgraft.plan(net, precision="INT8", calibration=table).precisions == {"INT8": 4}
    report = tfgraft.plan(net, precision="INT8", engine="tensorrt")
    assert report.precisions == {"INT8": 4}
    story = str(report.explain(next(n.name for n in report.nodes if n.precision)))
    assert "computes in INT8" in story


def test_a_report_is_plain_data(net: Any, table: CalibrationTable) -> None:
    report = tfgraft.optimize(net, precision="INT8", calibration=table, verify=True).report
    data = json.loads(report.to_json())
    assert data["precisions"] == {"INT8": 4}
    assert data["verified"][0]["engine_ok"] is True
    assert "INT8" in str(report)
