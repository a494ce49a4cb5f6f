"""What the engine openvino takes of the ONNX converters' cases, it computes as TensorFlow does."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import K, raw
from tests.cases.test_onnx import CASES
from tests.cases.through import check_case, sample
from tfgraft.converters.onnx.families import CONVERTERS
from tfgraft.plugins.openvino.builder import OpenVinoBuilder
from tfgraft.plugins.openvino.plugin import plugin
from tfgraft.registry.discovery import add_plugin
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Unsupported


@pytest.fixture(scope="module")
def registry() -> Registry:
    """The op converters without the tf2onnx route, and the engine with its limits."""
    made = Registry()
    for entries in CONVERTERS:
        made.add(*entries, layer="built-in")
    add_plugin(made, plugin(), "built-in")
    return made


@pytest.mark.parametrize("case", sample(CASES, 2), ids=lambda c: f"{c.op}-{c.id}")
def test_what_is_taken_is_right(case: OpCase, registry: Registry) -> None:
    check_case(case, OpenVinoBuilder(), registry)


LARGE = np.array([[2**30, 5, -(2**30) + 3], [16777217, -7, 123456789]])
WIDE = np.array([2**40, -(2**33), 7])


@pytest.mark.parametrize(
    "case",
    [
        *(raw(op, LARGE.astype(np.int32), LARGE[::-1].astype(np.int32) // 3) for op in ("AddV2", "Sub", "Mul")),
        *(raw(op, LARGE.astype(np.int32), LARGE[::-1].astype(np.int32)) for op in ("Maximum", "Less", "Equal")),
        raw("SelectV2", np.array([[True], [False]]), LARGE.astype(np.int32), LARGE[::-1].astype(np.int32)),
        *(raw(op, LARGE.astype(np.int32), K([1])) for op in ("Sum", "Max", "Prod")),
        *(raw(op, LARGE.astype(np.int32), K(1)) for op in ("Cumsum", "ArgMax")),
        raw("Neg", LARGE.astype(np.int32)),
        raw("Cast", LARGE.astype(np.int32), DstT=tf.int64),
        raw("GatherV2", LARGE.astype(np.int32), K([1, 0]), K(0)),
        raw("Transpose", LARGE.astype(np.int32), K([1, 0])),
    ],
    ids=lambda c: f"{c.op}-{c.id}",
)
def test_large_int32_are_right_or_refused(case: OpCase, registry: Registry) -> None:
    check_case(case, OpenVinoBuilder(), registry)


@pytest.mark.parametrize(
    "case",
    [
        raw("Prod", np.array([4099, 4099, 3], np.int32), K([0])),
        raw("Prod", np.array([4099, 4099, 3], np.int64), K(-1), keep_dims=True),
        raw("Prod", np.array([7], np.int32), K([0])),
        raw("Slice", np.ones((3, 4, 5), np.float32), np.array([0, 1, 2], np.int32), np.array([-1, 2, 3], np.int32)),
        raw(
            "Slice",
            np.ones((3, 4, 5), np.float32),
            K([0, 1, 2]),
            np.array([2, -1, 2], np.int32),
            case={"dynamic": True},
        ),
        raw("Cast", np.array([[0.3, -0.3, 0.0], [-0.0, np.nan, np.inf]], np.float32), DstT=tf.bool),
    ],
    ids=lambda c: f"{c.op}-{c.id}",
)
def test_what_onnx_would_compute_otherwise_is_taken_and_right(case: OpCase, registry: Registry) -> None:
    assert check_case(case, OpenVinoBuilder(), registry) is None


@pytest.mark.parametrize(
    ("case", "code"),
    [
        (raw("AddV2", np.tile(WIDE, (2, 1)), np.tile(WIDE, (2, 1))), "dtype"),
        (raw("AddV2", np.array([100, -100], np.int8), np.array([100, -100], np.int8)), "dtype"),
        (raw("AddV2", np.array([1.0, 2.0]), np.array([1.0, 2.0])), "dtype"),
        *((raw(op, np.array([-7, 7], np.int32), K(3)), "dtype") for op in ("FloorDiv", "FloorMod", "TruncateDiv")),
        (raw("Relu", np.ones((2, 3), np.float32), case={"unknown_rank": True}), "unknown-rank"),
        (raw("Relu", np.ones((0, 3), np.float32)), "attribute"),
    ],
    ids=lambda value: getattr(value, "op", value),
)
def test_what_it_would_compute_otherwise_is_refused(case: OpCase, code: str, registry: Registry) -> None:
    refusal = check_case(case, OpenVinoBuilder(), registry)
    assert isinstance(refusal, Unsupported)
    assert refusal.code == code
