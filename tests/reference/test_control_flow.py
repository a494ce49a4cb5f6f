"""Loops and conditionals: trip limits, recurrences, iterators, every kind of output, and what is not taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.reference.nets import Net, run
from tfgraft.plugins.reference.interpreter import Interpreter, InterpreterError

X = np.arange(6, dtype=np.float32).reshape(3, 2)


def _add(net: Net, a: Any, b: Any, op: str = "SUM") -> Any:
    return net.network.add_elementwise(a, b, getattr(net.trt.ElementWiseOperation, op)).get_output(0)


def _counted(net: Net, count: int) -> Any:
    loop = net.network.add_loop()
    loop.add_trip_limit(net.const(count, np.int32), net.trt.TripLimit.COUNT)
    return loop


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_counted_loop_ends_with_its_last_value(count: int) -> None:
    def make(net: Net) -> Any:
        start = net.input("start", (2,))
        loop = _counted(net, count)
        state = loop.add_recurrence(start)
        state.set_input(1, _add(net, state.get_output(0), state.get_output(0)))
        return loop.add_loop_output(state.get_output(0), net.trt.LoopOutput.LAST_VALUE).get_output(0)

    result = run(make, build=False, start=np.array([1, 3], np.float32))
    np.testing.assert_array_equal(result, np.array([1, 3], np.float32) * 2**count)


def test_a_while_loop_ends_when_its_condition_does() -> None:
    def make(net: Net) -> Any:
        loop = net.network.add_loop()
        state = loop.add_recurrence(net.input("start", ()))
        less = _add(net, state.get_output(0), net.const(100.0), "LESS")
        loop.add_trip_limit(less, net.trt.TripLimit.WHILE)
        state.set_input(1, _add(net, state.get_output(0), net.const(3.0), "PROD"))
        return loop.add_loop_output(state.get_output(0), net.trt.LoopOutput.LAST_VALUE).get_output(0)

    assert run(make, start=np.float32(1)) == 243
    assert run(make, build=False, start=np.float32(500)) == 500


@pytest.mark.parametrize("kind", ["CONCATENATE", "REVERSE"])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("axis", [0, 1])
def test_iterators_and_stacked_outputs(kind: str, backwards: bool, axis: int) -> None:
    def make(net: Net) -> Any:
        x = net.input("x", (3, 2))
        loop = _counted(net, 3)
        row = loop.add_iterator(x, 0, backwards).get_output(0)
        total = loop.add_recurrence(net.const([0.0, 0.0]))
        total.set_input(1, _add(net, total.get_output(0), row))
        output = loop.add_loop_output(_add(net, total.get_output(0), row), getattr(net.trt.LoopOutput, kind), axis)
        output.set_input(1, net.const(3, np.int32))
        return output.get_output(0)

    rows = np.cumsum(X[::-1] if backwards else X, 0)
    expected = rows[::-1] if kind == "REVERSE" else rows
    np.testing.assert_array_equal(run(make, x=X), np.moveaxis(expected, 0, axis))


def test_a_loop_without_iterations_stacks_nothing() -> None:
    def make(net: Net) -> Any:
        loop = _counted(net, 0)
        row = loop.add_iterator(net.input("x", (3, 2))).get_output(0)
        output = loop.add_loop_output(row, net.trt.LoopOutput.CONCATENATE)
        output.set_input(1, net.const(0, np.int32))
        return output.get_output(0)

    assert run(make, build=False, x=X).shape == (0, 2)


def test_loops_in_loops() -> None:
    """Sums x[i] * y[j] over i and j, the inner loop starting from the outer one's state; both have the same name."""

    def make(net: Net) -> Any:
        x, y = net.input("x", (3,)), net.input("y", (4,))
        outer = _counted(net, 3)
        outer.name = "loop"
        a = outer.add_iterator(x).get_output(0)
        total = outer.add_recurrence(net.const(0.0))
        inner = _counted(net, 4)
        inner.name = "loop"
        b = inner.add_iterator(y).get_output(0)
        part = inner.add_recurrence(total.get_output(0))
        part.set_input(1, _add(net, part.get_output(0), _add(net, a, b, "PROD")))
        end = inner.add_loop_output(part.get_output(0), net.trt.LoopOutput.LAST_VALUE).get_output(0)
        total.set_input(1, end)
        return outer.add_loop_output(total.get_output(0), net.trt.LoopOutput.LAST_VALUE).get_output(0)

    x, y = np.array([1, 2, 3], "f"), np.array([4, 5, 6, 7], "f")
    assert run(make, x=x, y=y) == x.sum() * y.sum()


def _branches(net: Net, x: Any, chosen: Any) -> Any:
    """Reshape x to 2 x 3 if chosen, else keep it: one branch of a conditional must not run for the other's input."""
    conditional = net.network.add_if_conditional()
    conditional.set_condition(chosen)
    inside = conditional.add_input(x).get_output(0)
    lookup = net.network.add_gather(inside, net.const([7], np.int32), 0).get_output(0)  # fails if there are 3 rows
    plain = net.network.add_slice(inside, (0, 0), (1, 2), (1, 1)).get_output(0)
    return conditional.add_output(lookup, plain).get_output(0)


def test_only_the_branch_that_is_taken_runs() -> None:
    net = Net()
    x, chosen = net.input("x", (-1, 2)), net.input("chosen", (), "bool")
    net.output(_branches(net, x, chosen))
    interpreter = Interpreter(net.read())
    many = np.arange(20, dtype=np.float32).reshape(10, 2)
    np.testing.assert_array_equal(interpreter.run({"x": many, "chosen": np.array(True)})["out"], many[7:8])
    np.testing.assert_array_equal(interpreter.run({"x": X, "chosen": np.array(False)})["out"], X[:1])
    with pytest.raises(InterpreterError, match="gather"):
        interpreter.run({"x": X, "chosen": np.array(True)})


def test_a_conditional_in_a_loop_follows_each_iteration() -> None:
    def make(net: Net) -> Any:
        loop = _counted(net, 3)
        row = loop.add_iterator(net.input("x", (3,))).get_output(0)
        conditional = net.network.add_if_conditional()
        conditional.set_condition(_add(net, row, net.const(0.0), "GREATER"))
        inside = conditional.add_input(row).get_output(0)
        negative = net.network.add_unary(inside, net.trt.UnaryOperation.NEG).get_output(0)
        chosen = conditional.add_output(inside, negative).get_output(0)
        output = loop.add_loop_output(chosen, net.trt.LoopOutput.CONCATENATE)
        output.set_input(1, net.const(3, np.int32))
        return output.get_output(0)

    np.testing.assert_array_equal(run(make, build=False, x=np.array([-1, 2, -3], "f")), [1, 2, 3])
