"""Constants as integers: what numpy makes of them when an engine is loaded."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.int8.graphs import values
from tfgraft.converters.weights import Quantization, lay_out

WEIGHT = values(3, 3, 4, 6)
HIGH = np.abs(WEIGHT).max(axis=(0, 1, 2))


def _along(axis: int | None, up: Any, **how: Any) -> Quantization:
    plain = Quantization("int8", up, axis, zero=0, least=-127, most=127, even=True)
    return replace(plain, **how)


def test_the_integers_are_tensorflows() -> None:
    how = _along(3, tuple((np.float32(127) / HIGH).tolist()))
    want = tf.raw_ops.QuantizeAndDequantizeV3(
        input=WEIGHT, input_min=-HIGH, input_max=HIGH, num_bits=8, range_given=True, narrow_range=True, axis=3
    )
    got = how.apply(WEIGHT)
    assert got.dtype == np.int8
    np.testing.assert_allclose(got * (HIGH / np.float32(127)), want, rtol=1e-6)


@pytest.mark.parametrize(
    ("even", "zero", "want"),
    [(True, 0, [-2, -2, 0, 0, 2, 2, 3]), (False, 0, [-2, -1, 0, 1, 2, 3, 3]), (False, 5, [3, 4, 5, 6, 7, 8, 8])],
)
def test_rounding_and_zero(even: bool, zero: int, want: list[int]) -> None:
    weight = np.array([-9, -1.5, -0.5, 0.5, 1.5, 2.5, 9], "float32")
    how = _along(None, (1.0,), dtype="uint8" if zero else "int8", zero=zero, least=-2, most=3, even=even)
    assert how.apply(weight).tolist() == want


def test_a_channel_without_a_range_is_zero() -> None:
    weight = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
    assert _along(1, (0.0, 10.0)).apply(weight).tolist() == [[0, 20], [0, 40]]


def test_it_survives_as_json() -> None:
    how = _along(2, tuple(values(300).tolist()), even=False)
    assert Quantization.of_json(json.loads(json.dumps(how.to_json()))) == how


def test_integers_come_before_the_order() -> None:
    how = _along(2, tuple(np.arange(1, 5, dtype="float32").tolist()))
    got = lay_out(WEIGHT, (2, 3, 0, 1), (24, 1, 3, 3), how)
    want = np.rint(np.clip(WEIGHT.transpose(2, 3, 0, 1) * np.arange(1, 5).reshape(4, 1, 1, 1), -127, 127))
    assert got.dtype == np.int8
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, want.reshape(24, 1, 3, 3))


def test_a_scalar_stays_a_scalar() -> None:
    assert lay_out(np.array(3.0, "float32"), None, None).shape == ()
