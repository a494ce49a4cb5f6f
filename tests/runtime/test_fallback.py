"""The engine op where something goes wrong: the segment answers, once with a warning, or strict makes it an error."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft.runtime
from tests.runtime.affine import AffineBuilder, affine_engine
from tests.runtime.graphs import engine_graph, function_of, numbers, run_once, session_of
from tfgraft.registry.support import Unsupported

FAULTS = {
    "raise": "ValueError: the engine cannot do it",
    "no output": "without allocating output 0",
    "wrong shape": "output 0 was allocated with shape [2, 3, 7] and was declared as [?, 3]",
    "negative shape": "output 0 was allocated with shape",
    "huge shape": "output 0 was allocated with shape",
    "wrong index": "outputs.allocate(1) was called and the engine has 1 outputs",
    "twice": "output 0 was allocated twice",
    "wrong type": "Cannot cast",
    "write to input": "read-only",
    "fail late": "after it had begun",
    "load": "RuntimeError: this engine is for another machine",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_segment_answers_and_warns_once(builder: AffineBuilder, caplog: pytest.LogCaptureFixture, fault: str) -> None:
    graph, name = engine_graph(*affine_engine(shape=(-1, 3), fault=fault))
    x = numbers(2, 3)
    with caplog.at_level(logging.WARNING, "tfgraft"), session_of(graph) as session:
        for _ in range(3):
            np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x}), x * 2 + 1)
    warnings = [r.getMessage() for r in caplog.records if r.name == "tfgraft"]
    assert len(warnings) == 1
    assert repr(name) in warnings[0]
    assert FAULTS[fault] in warnings[0]
    counted = tfgraft.runtime.counters().engines[name]
    assert (counted.calls, counted.fallbacks, sum(counted.causes.values())) == (3, 3, 3)
    assert FAULTS[fault] in next(iter(counted.causes))
    assert len(builder.loads) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_strict_is_an_error(builder: AffineBuilder, fault: str) -> None:
    graph, name = engine_graph(*affine_engine(shape=(-1, 3), fault=fault), strict=True)
    kind = tf.errors.FailedPreconditionError if fault == "load" else tf.errors.InternalError
    with pytest.raises(kind) as caught:
        run_once(graph, name, numbers(2, 3))
    assert f"engine node {name!r} (engine 'affine')" in caught.value.message
    assert FAULTS[fault] in caught.value.message
    assert tfgraft.runtime.counters().engines[name].fallbacks == 0


def test_the_engine_is_asked_again_after_a_failed_run(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine(fault="raise on 3 rows"))
    with session_of(graph) as session:
        for rows in (1, 3, 2, 3, 4):
            x = numbers(rows, 2)
            np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x}), x * 2 + 1)
    counted = tfgraft.runtime.counters().engines[name]
    assert (counted.calls, counted.fallbacks) == (5, 2)


def test_shapes_that_the_engine_was_not_built_for(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine(shape=(2, 3)))
    with session_of(graph) as session:
        for shape in ((2, 3), (3, 2), (6,), (2, 3)):
            x = numbers(*shape)
            np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x}), x * 2 + 1)
    causes = tfgraft.runtime.counters().engines[name].causes
    assert sum(causes.values()) == 2
    assert any("input 0 has shape [3, 2] and the engine was built for [2, 3]" in c for c in causes)


def test_unknown_engine_falls_back_until_it_is_registered(
    builder: AffineBuilder, caplog: pytest.LogCaptureFixture
) -> None:
    graph, name = engine_graph(*affine_engine(engine="affine_later"))
    with caplog.at_level(logging.WARNING, "tfgraft"), session_of(graph) as session:
        assert session.run(f"{name}:0", {"x:0": 1.0}) == 3
        assert "no engine 'affine_later' is known here (known: affine" in caplog.text
        assert "register_engine" in caplog.text
        later = AffineBuilder("affine_later")
        tfgraft.runtime.register_engine(later)
        assert session.run(f"{name}:0", {"x:0": 2.0}) == 5
    counted = tfgraft.runtime.counters().engines[name]
    assert (counted.calls, counted.fallbacks, counted.loads) == (2, 1, 1)


def test_what_a_builder_says_about_the_machine_is_in_the_cause(builder: AffineBuilder) -> None:
    builder.support = Unsupported("affine/missing", "libaffine is missing.", hint="pip install libaffine")
    graph, name = engine_graph(*affine_engine(fault="load"))
    assert run_once(graph, name, np.float32(1)) == 3
    cause = next(iter(tfgraft.runtime.counters().engines[name].causes))
    assert "another machine" in cause
    assert "pip install libaffine" in cause


def test_damaged_payload(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine())
    graph.node[-1].attr["payload"].s = b"\x00\x01garbage"
    assert run_once(graph, name, np.float32(1)) == 3
    assert tfgraft.runtime.counters().engines[name].fallbacks == 1


def test_damaged_metadata_is_a_clear_error(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine())
    graph.node[-1].attr["metadata"].s = b"[]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name}.*metadata attribute is damaged"):
        run_once(graph, name, np.float32(1))


def test_weights_reach_the_segment(builder: AffineBuilder) -> None:
    w = np.array([1.0, 10.0, 100.0], np.float32)
    graph, name = engine_graph(*affine_engine(shape=(-1, 3), weights=[w], fault="raise"), weights=[w])
    x = numbers(2, 3)
    np.testing.assert_array_equal(run_once(graph, name, x), x * w + 1)
    assert tfgraft.runtime.counters().engines[name].fallbacks == 1


@pytest.mark.parametrize("shape", [(), (0, 3), (2, 2)])
def test_segment_with_scalars_and_empty_tensors(builder: AffineBuilder, shape: tuple[int, ...]) -> None:
    graph, name = engine_graph(*affine_engine(fault="raise"))
    x = numbers(*shape)
    np.testing.assert_array_equal(run_once(graph, name, x), x * 2 + 1)


def test_an_error_of_the_segment_is_the_graphs_error(builder: AffineBuilder) -> None:
    w = np.array([1.0, 2.0], np.float32)
    built, fingerprint = affine_engine(weights=[w], fault="raise")
    graph, name = engine_graph(built, fingerprint, weights=[w])
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name}.*in the native segment"):
        run_once(graph, name, numbers(2, 3))


def test_no_deadlock_with_one_thread(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine(fault="raise"))
    config: dict[str, Any] = {"inter_op_parallelism_threads": 1, "intra_op_parallelism_threads": 1}
    private = {**config, "use_per_session_threads": True}
    x = numbers(4, 4)
    for options in (config, private):
        np.testing.assert_array_equal(run_once(graph, name, x, **options), x * 2 + 1)


def test_in_a_function(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine(fault="raise"))
    call = function_of(graph, name)
    np.testing.assert_array_equal(call(tf.ones((2, 2))).numpy(), np.full((2, 2), 3.0))
    assert tfgraft.runtime.counters().engines[name].fallbacks == 1


def test_an_output_of_another_shape_cannot_be_taken_back(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine(fault="other size"))
    x = numbers(2, 3)
    with session_of(graph) as session:
        with pytest.raises(tf.errors.InternalError, match=r"noticed too late.*output 0 with shape \[3, 3\].*\[2, 3\]"):
            session.run(f"{name}:0", {"x:0": x})
        np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x}), x * 2 + 1)
