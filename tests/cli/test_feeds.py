"""Feeds and errors of a comparison, apart from the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.load.models import frozen_graph
from tfgraft.bench import compare, compare_outputs
from tfgraft.distance import relative_error
from tfgraft.errors import FeedError
from tfgraft.feeds import match_feeds, read_feeds, synthetic_feeds
from tfgraft.grafted import Grafted
from tfgraft.load import LoadedModel, load
from tfgraft.report.report import Report


def placeholders(**specs: tuple[Any, list[int | None] | None]) -> LoadedModel:
    with tf.Graph().as_default() as graph:
        for name, (dtype, shape) in specs.items():
            tf.identity(tf.compat.v1.placeholder(dtype, shape, name))
    return load(graph)


def test_synthetic_feeds() -> None:
    loaded = placeholders(
        image=(tf.uint8, [None, None, None, 3]),
        features=(tf.float32, [None, 5]),
        ids=(tf.int64, [None, None]),
        text=(tf.string, [None]),
        flag=(tf.bool, []),
    )
    feeds = synthetic_feeds(loaded)
    assert {n: (v.shape, v.dtype.name) for n, v in feeds.items()} == {
        "image:0": ((1, 224, 224, 3), "uint8"),
        "features:0": ((1, 5), "float32"),
        "ids:0": ((1, 1), "int64"),
        "text:0": ((1,), "object"),
        "flag:0": ((), "bool"),
    }
    again = synthetic_feeds(loaded)
    assert all(np.array_equal(feeds[n], again[n]) for n in feeds)
    with pytest.raises(FeedError, match="rank is not known"):
        synthetic_feeds(placeholders(x=(tf.float32, None)))


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "No value is given for 'x:0'"),
        ({"y": 1}, "'y', which is no input"),
        ({"x": np.ones((2, 7))}, r"has shape \[2, 7\]"),
        ({"x": np.ones((2, 8), complex)}, "is float32, and the value given is complex128"),
        ({"x": np.array([["a"] * 8])}, "is float32, and the value given is <U1"),
    ],
)
def test_feeds_that_do_not_fit(feeds: dict[str, Any], message: str) -> None:
    with pytest.raises(FeedError, match=message):
        match_feeds(load(frozen_graph()), feeds)


def test_feeds_by_any_name_get_the_right_type() -> None:
    loaded = load(frozen_graph())
    for name in ("x", "x:0"):
        fed, values = match_feeds(loaded, {name: np.ones((2, 8))})
        assert [f.name for f in fed] == ["x:0"]
        assert values[0].dtype == np.float32


def test_optional_inputs_may_be_fed() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [2], "x")
        tf.multiply(x, tf.compat.v1.placeholder_with_default(tf.constant(0.5), [], "rate"), name="y")
    fed, values = match_feeds(load(graph), {"x": [1.0, 2.0], "rate": 3.0})
    assert [f.name for f in fed] == ["x:0", "rate:0"]
    assert float(values[1]) == 3.0


def test_pickles_are_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", x=np.array([{}], dtype=object))
    with pytest.raises(FeedError, match=r"cannot be read as an \.npz"):
        read_feeds(tmp_path / "f.npz")


@pytest.mark.parametrize(
    ("a", "b", "error"),
    [
        ([3.0, 4.0], [3.0, 4.0], 0.0),
        ([3.0, 4.0], [3.0, 4.5], 0.1),
        ([0.0, 0.0], [0.0, 0.5], 0.5),
        ([np.nan, 4.0], [np.nan, 4.0], 0.0),
        ([np.inf, 4.0], [-np.inf, 4.0], np.inf),
        ([np.nan, 4.0], [1.0, 4.0], np.inf),
        ([3.0, 4.0], [3.0], np.inf),
        ([], [], 0.0),
    ],
)
def test_relative_error(a: list[float], b: list[float], error: float) -> None:
    assert relative_error(np.array(a), np.array(b)) == pytest.approx(error)


def test_whole_numbers_and_strings_are_compared_exactly() -> None:
    a = [np.array([1, 2, 3, 4]), np.array([b"a", b"b"], dtype=object)]
    b = [np.array([1, 2, 3, 5]), np.array([b"a", b"b"], dtype=object)]
    errors = compare_outputs([("i:0", "int32"), ("s:0", "string")], a, b)
    assert [(e.error, e.agrees) for e in errors] == [(0.25, False), (0.0, True)]


def test_a_difference_is_found() -> None:
    loaded = load(frozen_graph())
    changed = type(loaded.graph_def).FromString(loaded.graph_def.SerializeToString())
    next(n for n in changed.node if n.name == "relu").op = "Softplus"
    result = compare(loaded, Grafted(changed, loaded, Report("none", (), (), ())), runs=3)
    assert not result.agrees
    assert result.outputs[0].error > 0.01


def test_a_model_that_cannot_run_on_made_up_values() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        tf.reshape(x, [7, -1, 3], name="y")
    loaded = load(graph)
    with pytest.raises(FeedError, match=r"cannot run the original model on made-up values.*--input"):
        compare(loaded, Grafted(loaded.graph_def, loaded, Report("none", (), (), ())), runs=3)
