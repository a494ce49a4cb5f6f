"""Which of several engines is the quickest, where each may be called in two ways."""

from __future__ import annotations

import pytest

from tfgraft.choice.choice import Contender, quickest


@pytest.mark.parametrize(
    ("first", "second", "whole", "best"),
    [
        pytest.param((1.0, 0.6), (0.8, 0.7), False, "second", id="of a part both times count"),
        pytest.param((1.0, 0.6), (0.8, 0.7), True, "first", id="of a whole model the time alone counts"),
        pytest.param((1.0, 0.6), (0.8, 0.61), True, "second", id="between equals the time within TensorFlow counts"),
        pytest.param((1.0, 0.8), (0.7, 0.0), True, "second", id="an engine that is not called alone has one time"),
        pytest.param((1.0, 0.8), (0.7, 0.0), False, "second", id="that time counts twice of a part"),
    ],
)
def test_the_quickest(first: tuple[float, float], second: tuple[float, float], whole: bool, best: str) -> None:
    times = {"first": first, "second": second}
    contenders = [Contender(name, milliseconds=within, direct=alone) for name, (within, alone) in times.items()]
    assert quickest(contenders, whole).engine == best
