"""Predictors of engines that fail: the native segment answers, with one warning and a count, or an error is raised."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tfgraft.runtime
from tests.runtime.affine import AffineBuilder, affine_engine
from tests.runtime.graphs import engine_graph
from tfgraft.errors import EngineError, FeedError
from tfgraft.load.model import LoadedModel, NamedTensor
from tfgraft.predictor import Predictor

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def builder() -> Iterator[AffineBuilder]:
    """The builder, known to engine nodes."""
    made = AffineBuilder()
    tfgraft.runtime.register_engine(made)
    yield made
    tfgraft.runtime.unregister_engine("affine")


def predictor(shape: Any = (-1, 3), strict: bool = False, **engine: Any) -> tuple[Predictor, str]:
    """Return a predictor of one engine node, whose input may have any shape, and the node's name."""
    graph_def, name = engine_graph(*affine_engine(shape=shape, **engine), strict=strict)
    inputs, outputs = (NamedTensor("x:0", "float32", None),), (NamedTensor(f"{name}:0", "float32", None),)

    def function() -> Any:
        raise AssertionError("the direct path needs no function")

    return Predictor(graph_def, LoadedModel(graph_def, inputs, outputs), function), name


def fallbacks(name: str) -> int:
    return tfgraft.runtime.counters().engines[name].fallbacks


@pytest.mark.parametrize(
    "fault",
    ["raise", "no output", "wrong shape", "negative shape", "huge shape", "wrong index", "twice", "fail late"],
)
def test_the_segment_answers(fault: str, builder: AffineBuilder, caplog: pytest.LogCaptureFixture) -> None:
    predict, name = predictor(fault=fault)
    assert predict.is_direct
    with caplog.at_level(logging.WARNING, "tfgraft"):
        for _ in range(3):
            (y,) = predict(X)
            np.testing.assert_array_equal(y, X * 2 + 1)
            assert y.flags.writeable or y.base is None
    assert fallbacks(name) == 3
    (record,) = caplog.records
    assert name in record.getMessage()
    assert "native segment" in record.getMessage()


def test_strict(builder: AffineBuilder) -> None:
    predict, name = predictor(fault="raise", strict=True)
    with pytest.raises(EngineError, match=f"'{name}'.*failed to run: ValueError: the engine cannot do it"):
        predict(X)
    assert fallbacks(name) == 0


def test_an_engine_that_does_not_load(builder: AffineBuilder, caplog: pytest.LogCaptureFixture) -> None:
    predict, name = predictor(fault="load")
    with caplog.at_level(logging.WARNING, "tfgraft"):
        np.testing.assert_array_equal(predict(X)[0], X * 2 + 1)
        np.testing.assert_array_equal(predict(X)[0], X * 2 + 1)
    assert fallbacks(name) == 2
    assert ["could not be loaded" in r.getMessage() for r in caplog.records] == [True]
    strict, _ = predictor(fault="load", strict=True)
    with pytest.raises(EngineError, match="could not be loaded"):
        strict(X)


def test_some_calls_only(builder: AffineBuilder) -> None:
    predict, name = predictor(fault="raise on 3 rows")
    for rows in (2, 3, 2, 3):
        x = np.ones((rows, 3), np.float32)
        np.testing.assert_array_equal(predict(x)[0], x * 2 + 1)
    assert fallbacks(name) == 2


def test_one_of_several_engines(builder: AffineBuilder) -> None:
    graph_def, name = engine_graph(*affine_engine(fault="raise on 3 rows", shape=(-1, 3)))
    second = graph_def.node.add()
    second.CopyFrom(next(node for node in graph_def.node if node.name == name))
    second.name, second.input[0] = "second", name
    inputs, outputs = (NamedTensor("x:0", "float32", None),), (NamedTensor("second:0", "float32", None),)
    predict = Predictor(graph_def, LoadedModel(graph_def, inputs, outputs), lambda: None)
    assert predict.is_direct
    for rows in (2, 3):
        x = np.ones((rows, 3), np.float32)
        np.testing.assert_array_equal(predict(x)[0], x * 7)
    assert fallbacks(name) == 2


def test_a_shape_that_the_engine_was_not_built_for(builder: AffineBuilder) -> None:
    predict, name = predictor(shape=(2, 3))
    np.testing.assert_array_equal(predict(np.ones((5, 3), np.float32))[0], np.full((5, 3), 3))
    assert fallbacks(name) == 1
    np.testing.assert_array_equal(predict(X)[0], X * 2 + 1)
    assert fallbacks(name) == 1


def test_values_that_tensorflow_does_not_take_either(builder: AffineBuilder) -> None:
    weights = [np.ones(3, np.float32)]
    graph_def, name = engine_graph(*affine_engine(shape=(-1, 3), weights=weights), weights=weights)
    inputs, outputs = (NamedTensor("x:0", "float32", None),), (NamedTensor(f"{name}:0", "float32", None),)
    predict = Predictor(graph_def, LoadedModel(graph_def, inputs, outputs), lambda: None)
    np.testing.assert_array_equal(predict(X)[0], X + 1)
    with pytest.raises(FeedError, match="TensorFlow cannot run the model on these values"):
        predict(np.ones((2, 5), np.float32))


def test_an_engine_that_nobody_knows_is_left_to_tensorflow() -> None:
    graph_def, name = engine_graph(*affine_engine())
    for node in graph_def.node:
        if node.name == name:
            node.attr["engine"].s = b"nobody"
    inputs, outputs = (NamedTensor("x:0", "float32", None),), (NamedTensor(f"{name}:0", "float32", None),)
    loaded = LoadedModel(graph_def, inputs, outputs)
    from tfgraft.function import make_function

    predict = Predictor(graph_def, loaded, lambda: make_function(graph_def, inputs, outputs))
    assert not predict.is_direct
    np.testing.assert_array_equal(predict(X)[0], X * 2 + 1)
