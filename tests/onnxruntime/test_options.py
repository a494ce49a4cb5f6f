"""Options of the ONNX Runtime engine: what is refused, what a builder decides, and what sessions get."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import tensorflow as tf

import tfgraft
from tests.passes.graft import build, v1
from tfgraft.load import load
from tfgraft.plugins.onnxruntime.options import OnnxRuntimeOptions
from tfgraft.plugins.saturation import saturates
from tfgraft.runtime.node import read_metadata

_WEIGHTS = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"thread": 2}, "has no option 'thread'; it has providers, intra_op_threads"),
        ({"intra_op_threads": -1}, "intra_op_threads must be a number of threads, 0 or more, not -1"),
        ({"inter_op_threads": "2"}, "inter_op_threads must be a number of threads, 0 or more, not '2'"),
        ({"spinning": True}, "spinning must be a number of microseconds, 0 or more, not True"),
        ({"spinning": -1}, "spinning must be a number of microseconds, 0 or more, not -1"),
        ({"graph_optimization": "most"}, "graph_optimization is one of disable, basic, extended, all, not 'most'"),
        ({"providers": []}, "needs at least one execution provider"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OnnxRuntimeOptions.of(options)


@pytest.mark.parametrize(
    ("spinning", "entries"),
    [(None, {}), (0, {"allow_spinning": "0"}), (300, {"spin_duration_us": "300"})],
)
def test_threads_spin_as_long_as_they_are_told(spinning: int | None, entries: dict[str, str]) -> None:
    options = OnnxRuntimeOptions(spinning=spinning).session_options(ort)
    for pool in ("intra_op", "inter_op"):
        for key in ("allow_spinning", "spin_duration_us"):
            name = f"session.{pool}.{key}"
            if key in entries:
                assert options.get_session_config_entry(name) == entries[key]
            else:
                with pytest.raises(RuntimeError):
                    options.get_session_config_entry(name)


def _spinning(body: Any) -> list[int]:
    pipeline = tfgraft.default_pipeline(minimum_segment_size=1, cut_light=False)
    grafted = tfgraft.optimize(load(build(body), outputs=["out"]), pipeline=pipeline)
    engines = [node for node in grafted.graph_def.node if node.op == "TfGraft>Engine"]
    return [dict(read_metadata(node.attr["metadata"].s).metadata)["options"]["spinning"] for node in engines]


def test_an_engine_that_is_nearly_all_spins_longer() -> None:
    def whole() -> None:
        x = v1.placeholder(tf.float32, (None, 64), "x")
        for _ in range(4):
            x = tf.nn.relu(tf.matmul(x, _WEIGHTS))
        tf.identity(x, name="out")

    def part() -> None:
        x = v1.placeholder(tf.string, (None, 64), "x")
        for _ in range(4):
            x = tf.strings.join([x, "0"])
        tf.tanh(tf.matmul(tf.strings.to_number(x), _WEIGHTS), name="out")

    assert _spinning(whole) == [1000]
    assert _spinning(part) == [100]


def test_saturation_is_what_a_product_shows() -> None:
    """The processor's own flags, where they are to be had, say the same."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            flags = next((line for line in file if line.startswith("flags")), "").split()
    except OSError:
        flags = []
    if "avx2" not in flags:
        pytest.skip("no x86 processor with AVX2")
    assert saturates(ort) == (not {"avx512_vnni", "avx_vnni"} & set(flags))
