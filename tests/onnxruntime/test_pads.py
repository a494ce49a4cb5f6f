"""Zero padding that becomes part of what reads it: when, and that the numbers stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.onnxruntime.engines import ops_in
from tests.passes.graft import build, v1
from tests.runtime.graphs import session_of
from tfgraft.load import load

_RANDOM = np.random.default_rng(0)
_KERNEL = _RANDOM.standard_normal((3, 3, 3, 4)).astype(np.float32)
_SIDES = [[0, 0], [1, 2], [0, 3], [0, 0]]
Emit = Callable[[Any], Any]


def _conv(x: Any) -> Any:
    return tf.nn.conv2d(x, _KERNEL, 2, "VALID")


def _pool(x: Any, kernel: int = 4) -> Any:
    return tf.nn.max_pool2d(x, kernel, 2, "VALID")


def _twice(x: Any) -> Any:
    padded = tf.pad(x, _SIDES)
    return tf.reduce_sum(_conv(padded)) + tf.reduce_sum(padded)


def _nchw(x: Any) -> Any:
    # TensorFlow's CPU kernels take no NCHW convolution, hence the Transposes around it.
    padded = tf.pad(tf.transpose(x, (0, 3, 1, 2)), [[0, 0], [0, 0], [1, 2], [0, 3]])
    return _conv(tf.transpose(padded, (0, 2, 3, 1)))


FOLDED: dict[str, Emit] = {
    "convolution": lambda x: _conv(tf.pad(x, _SIDES)),
    "padded in another order": _nchw,
    "cast": lambda x: tf.cast(_conv(tf.cast(tf.cast(tf.pad(x, _SIDES), tf.float64), tf.float32)), tf.float64),
    "explicit padding too": lambda x: tf.nn.conv2d(tf.pad(x, _SIDES), _KERNEL, 1, [[0, 0], [1, 1], [0, 2], [0, 0]]),
    "depthwise": lambda x: tf.nn.depthwise_conv2d(tf.pad(x, _SIDES), _KERNEL[..., :1], (1, 1, 1, 1), "VALID"),
    "maximum of what is never negative": lambda x: _pool(tf.pad(tf.nn.relu(x), _SIDES)),
}
KEPT: dict[str, Emit] = {
    "another value": lambda x: _conv(tf.pad(x, _SIDES, constant_values=1)),
    "reflected": lambda x: _conv(tf.pad(x, _SIDES, "REFLECT")),
    "channels": lambda x: _conv(tf.pad(x[..., :2], [[0, 0], [1, 1], [0, 0], [0, 1]])),
    "batch": lambda x: _conv(tf.pad(x, [[1, 0], [0, 0], [0, 0], [0, 0]])),
    "read twice": _twice,
    "maximum of anything": lambda x: _pool(tf.pad(x, _SIDES)),
    "wider than the window": lambda x: _pool(tf.pad(tf.nn.relu(x), _SIDES), 2),
}


def _check(emit: Emit, size: int | None) -> Counter[str]:
    """Compare with TensorFlow; return how many nodes of each type the engines have."""

    def graph() -> None:
        tf.identity(emit(v1.placeholder(tf.float32, [None, size, size, 3], name="x")), name="out")

    pipeline = tfgraft.default_pipeline(minimum_segment_size=1, cut_light=False)
    grafted = tfgraft.optimize(load(build(graph), outputs=["out"]), pipeline=pipeline, strict=True)
    with session_of(build(graph)) as original, session_of(grafted.graph_def) as session:
        for side in (size,) if size else (7, 9):
            x = _RANDOM.standard_normal((2, side, side, 3)).astype(np.float32)
            want, got = (each.run("out:0", {"x:0": x}) for each in (original, session))
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    return ops_in(grafted.graph_def)


@pytest.mark.parametrize("size", [8, None])
@pytest.mark.parametrize("name", FOLDED)
def test_padding_becomes_part_of_its_reader(name: str, size: int | None) -> None:
    assert _check(FOLDED[name], size)["Pad"] == 0


@pytest.mark.parametrize("name", KEPT)
def test_padding_stays_where_it_would_be_another(name: str) -> None:
    assert _check(KEPT[name], 8)["Pad"] >= 1
