"""Ratios, means and the page of `make bench`, on made-up rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.bench.page import BEGIN, END, part, placed
from benchmarks.bench.store import Store
from benchmarks.bench.summary import (
    against_best,
    best_peer,
    direct,
    failure,
    mean,
    mean_of_best,
    mean_of_quickest,
    quickest,
    ratio,
)

MACHINE = {"python": "3", "processor": "a processor", "versions": {"numpy": "2"}}


def row(ms: dict[str, float], failing: tuple[str, ...] = (), wrong: tuple[str, ...] = ()) -> dict[str, Any]:
    made: dict[str, Any] = {
        name: {"status": "ok", "agrees": True, "error": 1e-6, "unequal": [], "seconds": 1.0, "added_mb": 2.0}
        for name in ms
        if name != "tensorflow"
    }
    made |= {name: {"status": "failed", "why": "no such op"} for name in failing}
    made |= {name: {"status": "ok", "agrees": False, "error": 0.5, "unequal": []} for name in wrong}
    return {
        "prepare": {"status": "ok"},
        "made": made,
        "timing": {
            "status": "ok",
            "ms": ms,
            "rounds_ms": {name: [v] for name, v in ms.items()},
            "machine": MACHINE,
            "threads": 2,
        },
    }


FAST = row({"tensorflow": 8.0, "auto": 2.0, "tf2onnx": 4.0, "litert": 1.0}, failing=("xla",), wrong=("openvino",))
SLOW = row({"tensorflow": 8.0, "auto": 16.0}, failing=("xla", "tf2onnx", "openvino", "litert"))


def test_failures_count_as_one_and_absence_does_not_count() -> None:
    assert ratio(FAST, "auto") == 4
    assert ratio(FAST, "xla") == ratio(FAST, "openvino") == 1
    assert ratio(FAST, "onnxruntime") is None
    assert failure(FAST, "xla") == "failed: no such op"
    assert failure(FAST, "openvino") == "wrong: error 5.0e-01"
    assert failure(FAST, "onnxruntime") is None


def test_the_best_peer_is_right_and_fastest() -> None:
    assert best_peer(FAST) == ("litert", 8)
    assert best_peer(SLOW) == (None, 1)
    assert against_best(FAST, "auto") == pytest.approx(0.5)
    assert against_best(SLOW, "auto") == pytest.approx(0.5)


def test_the_direct_call_counts_beside_peers() -> None:
    both = row({"tensorflow": 8.0, "auto": 2.0, "auto predictor": 1.0, "litert": 1.0})
    assert ratio(both, "auto") == 4
    assert direct(both, "auto") == quickest(both, "auto") == 8
    assert direct(FAST, "auto") is None
    assert quickest(FAST, "auto") == 4
    assert against_best(both, "auto") == 1
    assert mean_of_quickest([both, SLOW], "auto") == pytest.approx(2)
    assert "| facemesh | 8 | 4.00 | 8.00 |  |  |" in part({"facemesh 1": both})


def test_means_are_geometric() -> None:
    assert mean([FAST, SLOW], "auto") == pytest.approx(2**0.5)
    assert mean([FAST, SLOW], "tf2onnx") == pytest.approx(2**0.5)
    assert mean([FAST, SLOW], "onnxruntime") is None
    assert mean_of_best([FAST, SLOW]) == pytest.approx(8**0.5)


def test_the_part_tells_losses() -> None:
    text = part({"facemesh 1": FAST, "guesslang 1": SLOW, "faceboxes 8": {"prepare": {"status": "ok", "fixed": "1"}}})
    assert "| facemesh | 8 | 4.00 |  |  |  | fails | 2.00 | fails | 8.00 | 8.00 LiteRT | 0.50 |" in text
    beside = "beside TensorFlow faster on 1, as fast within 2% on 0, slower on 1 (guesslang 0.50); "
    beside += (
        "beside the best peer faster on 0, as fast within 2% on 0, slower on 2 (facemesh 0.50 (LiteRT), guesslang 0.50)"
    )
    assert f"- tfgraft auto: {beside}; fails on 0." in text
    assert "- guesslang 1, OpenVINO: failed: no such op" in text
    assert "Graphs that do not take a batch: faceboxes." in text


def test_the_part_takes_its_place_in_the_page() -> None:
    page = placed("# Benchmarks\n\nOn a machine.\n\n## One\n\ntext\n", "## New\n\nfirst\n")
    assert page == f"# Benchmarks\n\nOn a machine.\n\n{BEGIN}\n\n## New\n\nfirst\n\n{END}\n\n## One\n\ntext\n"
    assert placed(page, "## New\n\nsecond") == page.replace("first", "second")


def test_a_contender_made_anew_voids_the_times(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "results.json")
    store.put("a 1", "timing", {"status": "ok"})
    store.made("a 1", "auto", {"status": "ok"})
    assert Store.open(store.path).rows == {"a 1": {"made": {"auto": {"status": "ok"}}}}
    store.forget("a 1", ["auto", "xla"])
    assert Store.open(store.path).rows == {"a 1": {"made": {}}}


def test_only_rounds_of_both_count() -> None:
    timing = {"rounds_ms": {"tensorflow": [8.0, 80.0, 80.0], "auto": [4.0, 20.0, 20.0], "litert": [2.0, None, None]}}
    measured = {**FAST, "timing": {**FAST["timing"], **timing}}
    assert ratio(measured, "auto") == 4
    assert best_peer(measured) == ("litert", 4)
    assert against_best(measured, "auto") == pytest.approx(0.5)
