"""Gates, in C and in Python: what passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tfgraft.gate import Gate, PythonGate, make_gate

FLOATS, INTS = np.dtype(np.float32), np.dtype(np.int64)
X = np.zeros((2, 3), np.float32)


def in_c(dtypes: Any) -> Gate:
    made: Any = pytest.importorskip("tfgraft._gate", reason="there is no compiler here: gates are in Python").Gate
    gate: Gate = made(np.ndarray, tuple(dtypes))
    return gate


both = pytest.mark.parametrize("make", [in_c, PythonGate])
Make = Callable[[Any], Gate]


@both
def test_what_passes(make: Make) -> None:
    gate = make([FLOATS, INTS])
    scalar = np.zeros((), np.int64)
    assert not gate.fits((X, scalar)), "nothing was added"
    gate.add(0, (2, 3))
    gate.add(0, (0, 3))
    gate.add(1, ())
    for values in ((X, scalar), [X, scalar], (X[:0], scalar), (np.ones((4, 3), np.float32)[1:3], scalar)):
        assert gate.fits(values)


class Other(np.ndarray):
    """An array of another class, which may mean something else by its shape."""


@both
@pytest.mark.parametrize(
    "values",
    [
        pytest.param((), id="none"),
        pytest.param((X, X), id="too many"),
        pytest.param((None,), id="no array"),
        pytest.param(([[0.0] * 3] * 2,), id="a list"),
        pytest.param((X.astype(np.float64),), id="another type"),
        pytest.param((X.astype(">f4"),), id="another byte order"),
        pytest.param((X[0],), id="another rank"),
        pytest.param((X[:1],), id="another shape"),
        pytest.param((np.zeros((3, 2), np.float32).T,), id="not contiguous"),
        pytest.param((np.zeros((2, 6), np.float32)[:, ::2],), id="with gaps"),
        pytest.param((np.zeros(25, np.uint8)[1:].view(np.float32).reshape(2, 3),), id="not aligned"),
        pytest.param((X.view(Other),), id="another class"),
    ],
)
def test_what_does_not_pass(make: Make, values: Any) -> None:
    gate = make([FLOATS])
    gate.add(0, (2, 3))
    assert not gate.fits(values)
    assert not gate.fits(list(values))


@both
def test_strings_never_pass(make: Make) -> None:
    gate = make([None])
    gate.add(0, (1,))
    assert not gate.fits((np.array(["a"], object),))


@both
def test_shapes_that_are_remembered(make: Make) -> None:
    gate = make([FLOATS])
    for rows in [3, 3, 3, *range(100)]:
        gate.add(0, (rows,))
    passed = [gate.fits((np.zeros(rows, np.float32),)) for rows in range(100)]
    assert sum(passed) == 64
    assert all(passed[:64])


@both
def test_mistakes(make: Make) -> None:
    with pytest.raises(IndexError):
        make([FLOATS]).add(1, (2,))


def test_what_is_made_is_in_c() -> None:
    assert type(make_gate([FLOATS])) is type(in_c([FLOATS]))


def test_a_gate_that_misunderstands_arrays_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("tfgraft._gate", reason="there is no compiler here: gates are in Python")

    class Wrong(PythonGate):
        def __init__(self, kind: Any, dtypes: Any) -> None:
            super().__init__(dtypes)

        def fits(self, values: Any, /) -> bool:
            return True

    monkeypatch.setattr(module, "Gate", Wrong)
    assert not isinstance(make_gate([FLOATS]), Wrong)
