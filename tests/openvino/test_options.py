"""Options of the engine openvino, and what it says where it is not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tfgraft.plugins.openvino.builder import OpenVinoBuilder
from tfgraft.plugins.openvino.options import OpenVinoOptions
from tfgraft.registry.support import Unsupported


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"performance_hint": "fast"}, "performance_hint is one of latency, throughput, not 'fast'"),
        ({"inference_precision": "FP16"}, "inference_precision is one of f32, bf16, f16, any, not 'FP16'"),
        ({"intra_op_threads": -1}, "intra_op_threads must be a number of threads, 0 or more, not -1"),
        ({"intra_op_threads": True}, "intra_op_threads must be a number of threads, 0 or more, not True"),
        ({"intra_op_threads": "2"}, "intra_op_threads must be a number of threads, 0 or more, not '2'"),
        ({"cache_dir": ""}, "cache_dir is the path of a folder, or None, not ''"),
        ({"config": ["NUM_STREAMS"]}, "config is a mapping from OpenVINO's properties to values"),
        ({"threads": 2}, "engine openvino has no option 'threads'; it has performance_hint, intra_op_threads"),
    ],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OpenVinoBuilder().check_options(options)


def test_options_become_properties(tmp_path: Path) -> None:
    cache = tmp_path / "made" / "here"
    options = OpenVinoOptions.of(
        {
            "performance_hint": "throughput",
            "intra_op_threads": 2,
            "inference_precision": "any",
            "cache_dir": cache,
            "config": {"NUM_STREAMS": 3},
        }
    )
    assert OpenVinoOptions.of(options.to_dict()) == options
    assert options.properties() == {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_PRECISION_HINT": "dynamic",
        "INFERENCE_NUM_THREADS": "2",
        "CACHE_DIR": str(cache),
        "NUM_STREAMS": "3",
    }
    assert cache.is_dir()
    assert OpenVinoOptions().properties() == {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}


def test_a_cache_that_cannot_be_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert "CACHE_DIR" not in OpenVinoOptions(cache_dir=str(file / "cache")).properties()


def test_without_openvino_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    support = OpenVinoBuilder().available()
    assert isinstance(support, Unsupported)
    assert (support.code, support.culprit) == ("no-engine", "openvino")
    assert "tfgraft[cpu,openvino]" in support.hint
