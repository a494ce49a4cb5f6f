"""Who is timed further."""

from __future__ import annotations

from benchmarks.bench.stages.timing import Rounds, _close


def test_tensorflow_and_the_close_go_on() -> None:
    times: dict[str, Rounds] = {
        "tensorflow": [9.0, 9.0],
        "auto": [1.0, 1.9, 1.1, 1.8],
        "auto predictor": [1.1],
        "litert": [1.2],
        "xla": [5.0],
    }
    assert _close(times) == ["tensorflow", "auto", "auto predictor", "litert"]


def test_int8_does_not_decide_who_is_close() -> None:
    times: dict[str, Rounds] = {
        "tensorflow": [9.0],
        "auto": [3.0],
        "openvino": [3.1],
        "int8": [1.0],
        "int8 predictor": [0.9],
    }
    assert _close(times) == ["tensorflow", "auto", "openvino", "int8", "int8 predictor"]
