"""Engines of open shapes: sessions for shapes that come again and again, with the numbers of the open session."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.onnxruntime.engines import engines_in
from tests.passes.graft import build, v1
from tfgraft.load import load
from tfgraft.plugins.onnxruntime import builder as module
from tfgraft.plugins.onnxruntime.by_shape import ByShape
from tfgraft.plugins.protocol import Device

_WEIGHTS = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)


def _anchors() -> None:
    """Emit what depends on the shape alone, in the way of a detector's anchors, beside a product."""
    x = v1.placeholder(tf.float32, [None, None, 4], name="x")
    rows = tf.range(tf.shape(x)[1])
    places = tf.cast(rows, tf.float32) / tf.cast(tf.shape(x)[1], tf.float32)
    tf.identity(tf.nn.relu(tf.tensordot(x, _WEIGHTS, 1)) + places[None, :, None], name="out")


def _executor(**options: Any) -> Any:
    pipeline = tfgraft.default_pipeline(minimum_segment_size=1, cut_light=False)
    grafted = tfgraft.optimize(load(build(_anchors), outputs=["out"]), pipeline=pipeline, strict=True, **options)
    (engine,) = engines_in(grafted.graph_def)
    weights = [np.asarray(_WEIGHTS) for _ in engine.weights]
    return module.OnnxRuntimeBuilder().load(engine, weights, Device())


def _x(rows: int, batch: int = 2) -> Any:
    return np.random.default_rng(rows).standard_normal((batch, rows, 4)).astype(np.float32)


def _wanted(x: Any) -> Any:
    places = np.arange(x.shape[1], dtype=np.float32) / np.float32(x.shape[1])
    return np.maximum(x @ _WEIGHTS, 0) + places[None, :, None]


def _check(executor: Any, x: Any) -> None:
    (y,) = executor.compute([x])
    np.testing.assert_allclose(y, _wanted(x), rtol=1e-5, atol=1e-5)


def _sessions(executor: Any) -> list[Any]:
    return list(executor._own)


def test_shapes_that_come_again_get_a_session() -> None:
    executor = _executor()
    assert isinstance(executor, ByShape)
    for i in range(20):
        _check(executor, _x(3 + i % 2))
    assert _sessions(executor) == []
    for _ in range(9):
        _check(executor, _x(5))
    assert _sessions(executor) == [(2, 5, 4)]
    _check(executor, _x(7))
    _check(executor, _x(5))


def test_the_oldest_session_is_dropped_and_each_further_one_comes_later() -> None:
    executor = _executor(sessions_by_shape=1)
    for rows, calls in ((3, 8), (4, 16), (5, 31)):
        for _ in range(calls):
            _check(executor, _x(rows))
    assert _sessions(executor) == [(2, 4, 4)]
    _check(executor, _x(5))
    assert _sessions(executor) == [(2, 5, 4)]


def test_no_session_for_nothing_and_none_where_none_is_wanted() -> None:
    executor = _executor()
    for _ in range(20):
        _check(executor, _x(0))
    assert _sessions(executor) == []
    assert not isinstance(_executor(sessions_by_shape=0), ByShape)


def test_heavy_weights_are_not_packed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIGHT_BYTES", -1)
    assert not isinstance(_executor(), ByShape)


def test_what_cannot_be_made_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = _executor()
    asked = []

    def make(sizes: Any) -> Any:
        asked.append(sizes)
        raise RuntimeError("no")

    monkeypatch.setattr(executor, "_make", make)
    for _ in range(30):
        _check(executor, _x(3))
    assert len(asked) == 2
    assert set(asked[0].values()) == {2, 3}


def test_threads() -> None:
    executor = _executor()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: _check(executor, _x(2 + i // 60)), range(240)))
    assert 0 < len(_sessions(executor)) <= 2
