"""Engines that leave the copying to the runtime: when they are asked, and what becomes of errors."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest

import tfgraft.runtime
from tests.runtime.affine import AffineBuilder, affine_engine
from tests.runtime.graphs import engine_graph, numbers, session_of
from tfgraft.plugins.protocol import Array, BuiltEngine, Device, Executor, Outputs
from tfgraft.plugins.staging import HostStage, Staging
from tfgraft.runtime.hot import hot_module

pytestmark = pytest.mark.skipif(hot_module() is None, reason="there is no compiler here: nothing is staged")


@dataclass
class Staged:
    """y = x * 2 + 1 on buffers of its own from the first call on, or with the sizes that it is told to offer."""

    extra: tuple[int, int] = (0, 0)
    asked: list[tuple[int, ...]] = field(default_factory=list)
    ran: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """Compute, and offer buffers for the next calls."""
        (x,) = inputs
        self.asked.append(x.shape)
        outputs.allocate(0, x.shape)[...] = x * 2 + 1
        own, made = np.empty_like(x), np.empty_like(x)

        def compute(number: int) -> None:
            self.ran.append(number)
            if self.faults:
                raise ValueError(self.faults.pop())
            made[...] = own * 2 + 1

        if isinstance(outputs, Staging):
            outputs.stage(
                (own, made),
                HostStage(compute, (len(self.asked),)),
                [(own.ctypes.data, own.nbytes + self.extra[0])],
                [(made.ctypes.data, made.nbytes + self.extra[1])],
            )


@dataclass
class StagedBuilder(AffineBuilder):
    """Loads one executor."""

    executor: Staged = field(default_factory=Staged)
    name: str = "staged"
    devices: ClassVar[tuple[str, ...]] = ("CPU",)

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Executor:
        """Return the executor."""
        return self.executor


def _graph(executor: Staged) -> tuple[Any, str]:
    tfgraft.runtime.register_engine(StagedBuilder(executor=executor))
    tfgraft.runtime.reset_counters()
    return engine_graph(*affine_engine("staged", shape=(-1, 3)))


def _check(session: Any, name: str, rows: int, add: float = 0) -> None:
    x = numbers(rows, 3) + np.float32(add)
    np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x}), x * 2 + 1)


def test_the_executor_is_asked_once_for_each_change_of_shape() -> None:
    executor = Staged()
    graph, name = _graph(executor)
    with session_of(graph) as session:
        for k in range(4):
            _check(session, name, 2, k)
        for k in range(3):
            _check(session, name, 5, k)
        _check(session, name, 2)
        _check(session, name, 0)
        _check(session, name, 2)
    assert executor.asked == [(2, 3), (5, 3), (2, 3), (0, 3), (2, 3)]
    assert executor.ran == [1, 1, 1, 2, 2]
    counted = tfgraft.runtime.counters().engines[name]
    assert (counted.calls, counted.fallbacks) == (10, 0)


def test_after_an_error_the_segment_answers_and_the_executor_is_asked_again() -> None:
    executor = Staged(faults=["the engine is tired"])
    graph, name = _graph(executor)
    with session_of(graph) as session:
        for k in range(5):
            _check(session, name, 2, k)
    assert len(executor.asked) == 2
    counted = tfgraft.runtime.counters().engines[name]
    assert (counted.calls, counted.fallbacks) == (5, 1)
    (cause,) = counted.causes
    assert "the engine is tired" in cause


@pytest.mark.parametrize("extra", [(4, 0), (0, 4)])
def test_buffers_of_other_sizes_are_refused(extra: tuple[int, int]) -> None:
    executor = Staged(extra=extra)
    graph, name = _graph(executor)
    with session_of(graph) as session:
        for k in range(3):
            _check(session, name, 2, k)
    assert executor.ran == []
    (cause,) = tfgraft.runtime.counters().engines[name].causes
    assert "not of its tensor's size" in cause


def test_threads_have_buffers_of_their_own() -> None:
    executor = Staged()
    graph, name = _graph(executor)
    with session_of(graph) as session, ThreadPoolExecutor(4) as pool:

        def work(k: int) -> None:
            for i in range(200):
                _check(session, name, 2 + (i // 50 + k) % 2, i + 1000 * k)

        list(pool.map(work, range(4)))
    assert executor.ran
