"""optimize(verify=...): engines are run beside their native segments, and fall back where a bound is broken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.precision.nets import error, images, residual_net
from tfgraft.passes.verify_engines import ENGINE_BOUNDS


@pytest.fixture(scope="module")
def net() -> Any:
    return residual_net()


def _run(grafted: Any, x: np.ndarray) -> Any:
    return grafted.function()(tf.constant(x))[0]


def test_float32_is_verified_on_made_up_values(net: Any) -> None:
    report = tfgraft.optimize(net, verify=True).report
    (check,) = report.verified
    assert check.ok
    assert check.engine_error < ENGINE_BOUNDS["FP32"]
    assert check.engine_error == check.precision_error


def test_float32_is_verified_on_data(net: Any) -> None:
    report = tfgraft.optimize(net, calibration=iter(images(3)), verify=tfgraft.Verification(feeds=3)).report
    assert [check.ok for check in report.verified] == [True]


def test_a_broken_bound_is_told(net: Any) -> None:
    bounds = tfgraft.Verification(precision_bound=1e-6)
    report = tfgraft.optimize(net, precision="INT8", calibration=images(3), verify=bounds).report
    (check,) = report.verified
    assert check.engine_ok
    assert not check.precision_ok
    assert "TOO FAR" in str(report)
    assert any(d.code == "inaccurate" and "from float32" in d.message for d in report.diagnostics)


def test_a_cluster_that_breaks_a_bound_falls_back_to_float32(net: Any) -> None:
    bounds = tfgraft.Verification(precision_bound=1e-5, fallback=True)
    grafted = tfgraft.optimize(net, precision="INT8", calibration=images(3), verify=bounds)
    assert grafted.report.precisions == {}
    assert [check.ok for check in grafted.report.verified] == [True]
    (x,) = images(1, seed=1)
    assert error(net(x), _run(grafted, x)) < 1e-5


def test_a_cluster_that_is_wrong_in_float32_falls_back_to_tensorflow(net: Any) -> None:
    bounds = tfgraft.Verification(engine_bound=-1.0, fallback=True)  # nothing can be within that
    report = tfgraft.optimize(net, verify=bounds).report
    assert report.clusters == ()


def test_half_precision_is_verified(net: Any) -> None:
    report = tfgraft.optimize(net, precision="FP16", verify=True).report
    (check,) = report.verified
    assert check.ok
    assert check.precision_error is not None
    assert check.precision_error > 1e-5


def test_engines_in_other_places_are_not_run(net: Any) -> None:
    report = tfgraft.optimize(net, engine="tensorrt", verify=True).report
    assert [check.reason for check in report.verified] == ["It does not run on the CPU."]


def test_mistakes() -> None:
    with pytest.raises(ValueError, match="feeds is a number"):
        tfgraft.Verification(feeds=0)
