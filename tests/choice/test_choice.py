"""Which of several engines is the quickest, where each may be called in two ways."""

from __future__ import annotations

from tfgraft.choice.choice import Contender, quickest


def _contender(engine: str, within: float, alone: float) -> Contender:
    return Contender(engine, milliseconds=within, direct=alone)


def test_of_a_part_both_times_count() -> None:
    first, second = _contender("first", within=1.0, alone=0.6), _contender("second", within=0.8, alone=0.7)
    assert quickest([first, second], whole=False) is second


def test_of_a_whole_model_the_time_alone_counts() -> None:
    first, second = _contender("first", within=1.0, alone=0.6), _contender("second", within=0.8, alone=0.7)
    assert quickest([first, second], whole=True) is first


def test_between_equals_the_time_within_tensorflow_counts() -> None:
    first, second = _contender("first", within=1.0, alone=0.6), _contender("second", within=0.8, alone=0.61)
    assert quickest([first, second], whole=True) is second


def test_an_engine_that_is_not_called_alone_has_one_time() -> None:
    first, second = _contender("first", within=1.0, alone=0.8), _contender("second", within=0.7, alone=0.0)
    assert quickest([first, second], whole=True) is second
    assert quickest([first, second], whole=False) is second
