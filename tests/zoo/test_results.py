"""Comparing, summing up and resuming."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.zoo.built import load_arrays, save_arrays
from benchmarks.zoo.process import Limits, run_stage
from benchmarks.zoo.results import Results, peer_failure, summary, tfgraft_failure
from benchmarks.zoo.stages.compare import agreement
from benchmarks.zoo.stages.job import Job
from benchmarks.zoo.table import markdown

FLOATS = np.array([3.0, 4.0], np.float32)
STRINGS = np.array([b"a", b"bc"], object)


def test_equal_outputs_agree() -> None:
    found = agreement(["f", "s"], [FLOATS, STRINGS], [FLOATS, np.array(["a", "bc"])])
    assert found.error == 0
    assert found.within(0)


def test_floats_are_compared_by_relative_l2() -> None:
    found = agreement(["f"], [FLOATS], [FLOATS + np.array([0.5, 0], np.float32)])
    assert found.error == pytest.approx(0.1)
    assert found.within(0.11)
    assert not found.within(0.09)


@pytest.mark.parametrize(
    "got", [FLOATS[:1], np.array([3, np.nan], np.float32), np.array([3, 4]), np.array([np.inf, 4], np.float32)]
)
def test_wrong_shapes_types_and_values_never_agree(got: Any) -> None:
    assert agreement(["f"], [FLOATS], [got]).error == np.inf


def test_not_a_number_agrees_with_itself_only() -> None:
    nan = np.array([np.nan, 1], np.float32)
    assert agreement(["f"], [nan], [nan]).within(0)
    assert agreement(["f"], [nan], [FLOATS]).error == np.inf


@pytest.mark.parametrize(("wanted", "got"), [(STRINGS, STRINGS[::-1]), (np.array([1, 2]), np.array([1, 3]))])
def test_other_outputs_must_be_equal(wanted: Any, got: Any) -> None:
    found = agreement(["s"], [wanted], [got])
    assert found.unequal == ("s",)
    assert not found.within(1)


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    save_arrays(tmp_path / "feed.npz", {"f:0": FLOATS, "s:0": STRINGS, "b:0": np.array(False)})
    arrays = load_arrays(tmp_path / "feed.npz")
    np.testing.assert_array_equal(arrays["f:0"], FLOATS)
    assert arrays["s:0"].dtype == object
    assert arrays["s:0"].tolist() == [b"a", b"bc"]
    assert arrays["b:0"].shape == ()


def row(tfgraft: float, peer: float | None, error: float = 1e-6) -> dict[str, Any]:
    """A whole row: TensorFlow takes 10 ms, the others are that many times as fast; None: the peer crashed."""
    ms = {"tensorflow": 10.0, "tfgraft": 10.0 / tfgraft, **({} if peer is None else {"peer": 10.0 / peer})}
    check = {"status": "crashed", "why": "killed by SIGSEGV"} if peer is None else {"status": "ok", "agrees": True}
    return {
        "reference": {"status": "ok", "meaning": "a cat"},
        "graft": {
            "status": "ok",
            "clusters": 2,
            "coverage": 0.5,
            "seconds": 1.0,
            "added_mb": 10.0,
            "error": error,
            "unequal": [],
            "agrees": error <= 1e-4,
            "refusals": [{"op": "Where", "code": "unmapped", "count": 3}],
            "fallbacks": 0,
        },
        "peer_convert": {"status": "ok", "seconds": 1.0},
        "peer_check": check,
        "speed": {"status": "ok", "ms": ms},
    }


def test_failures_count_as_one_in_the_means() -> None:
    found = summary({"a": row(4, 9), "b": row(1, None)})
    assert found.tfgraft == pytest.approx(2)
    assert found.peer == pytest.approx(3)
    assert (found.tfgraft_lowest, found.tfgraft_lowest_model) == (1, "b")
    assert found.tfgraft_failures == []
    assert found.peer_failures == ["b"]


def test_a_wrong_or_crashed_model_is_a_failure_with_its_reason() -> None:
    assert tfgraft_failure(row(2, 2)) is None
    assert tfgraft_failure(row(2, 2, error=0.1)) == "wrong: error 0.1"
    assert peer_failure(row(2, None)) == "run crashed: killed by SIGSEGV"


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    first = Results.open(path, resume=False, settings={"threads": 2})
    for stage, result in row(2, 3).items():
        first.put("a", stage, result)
    again = Results.open(path, resume=True, settings={"threads": 2})
    assert again.rows == first.rows
    assert json.loads(path.read_text("utf-8"))["summary"]["peer"] == pytest.approx(3)
    assert Results.open(path, resume=False, settings={}).rows == {}


def test_the_page_has_a_line_for_each_model(tmp_path: Path) -> None:
    results = Results.open(tmp_path / "r.json", resume=False, settings={"threads": 2})
    results.rows = {"good": row(2, 3), "bad": row(2, None)}
    page = markdown(results)
    assert "| good | 2 | 50% | 1.0e-06 | 10 | 2.00 | 3.00 | 1.0 | 10 | Where: unmapped, 3 |" in page
    assert "| bad | 2 | 50% | 1.0e-06 | 10 | 2.00 | fails | 1.0 | 10 | Where: unmapped, 3 |" in page
    assert "- bad, tf2onnx+ORT: run crashed: killed by SIGSEGV" in page


@pytest.mark.parametrize(
    ("limits", "status"),
    [(Limits(), "failed"), (Limits(seconds=0.2), "timeout"), (Limits(gigabytes=0.05), "memory")],
)
def test_a_stage_that_fails_or_passes_a_limit_is_a_result(tmp_path: Path, limits: Limits, status: str) -> None:
    """There are no models in the folder: within its limits the stage cannot read its graph."""
    job = Job("mtcnn_pnet", tmp_path, tmp_path, threads=1, rounds=1, options={"method": "session", "inter": 1})
    result = run_stage("baseline", job, limits)
    assert result["status"] == status
    assert result["why"]
