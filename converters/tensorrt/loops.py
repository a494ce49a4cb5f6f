"""TensorRT's loops: what is carried from one iteration to the next, what is read and what is kept of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfgraft.converters.tensorrt.context import LayerError, TensorRtContext


class Loop:
    """A loop of a network. Layers that depend on what it carries or iterates over are its body."""

    def __init__(self, ctx: TensorRtContext) -> None:
        self._ctx, self._loop = ctx, ctx.network.add_loop()
        self._carried: list[tuple[Any, Any]] = []

    def count(self, trips: Any) -> None:
        """Limit the iterations to a number: an int, or an integer tensor of rank 0."""
        tensor = self._ctx.const(np.array(trips, np.int64)) if isinstance(trips, int) else trips
        self._named(self._loop.add_trip_limit(tensor, self._ctx.trt.TripLimit.COUNT), "trip_limit")

    def run_while(self, condition: Any) -> None:
        """Run an iteration as long as a bool of rank 0, of what is carried into it, is true."""
        self._named(self._loop.add_trip_limit(condition, self._ctx.trt.TripLimit.WHILE), "trip_limit")

    def carry(self, first: Any) -> Any:
        """Return a tensor that is `first` in the first iteration and then what `again` says."""
        layer = self._named(self._loop.add_recurrence(first), "recurrence")
        value = layer.get_output(0)
        self._carried.append((value, layer))
        return value

    def again(self, carried: Any, after: Any) -> None:
        """Say what a carried tensor is in the next iteration."""
        next(layer for value, layer in self._carried if value is carried).set_input(1, after)

    def elements(self, tensor: Any, reverse: bool = False) -> Any:
        """Return the element of a tensor along its first dimension, another one in each iteration."""
        return self._output(self._loop.add_iterator(tensor, 0, reverse), "iterator")

    def last(self, carried: Any) -> Any:
        """Return, outside, what a carried tensor is after the last iteration."""
        return self._output(self._loop.add_loop_output(carried, self._ctx.trt.LoopOutput.LAST_VALUE), "loop_output")

    def stack(self, value: Any, length: Any) -> Any:
        """Return, outside, a tensor's values of all iterations along a new first dimension.

        Args:
            length: the number of iterations: an int, or an integer tensor of rank 0.
        """
        layer = self._loop.add_loop_output(value, self._ctx.trt.LoopOutput.CONCATENATE, 0)
        layer.set_input(1, self._ctx.const(np.array(length, np.int64)) if isinstance(length, int) else length)
        return self._output(layer, "loop_output")

    def _output(self, layer: Any, kind: str) -> Any:
        return self._ctx.checked(self._named(layer, kind).get_output(0), kind)

    def _named(self, layer: Any, kind: str) -> Any:
        if layer is None:
            raise LayerError(self._ctx.reason() or f"TensorRT does not take this {kind}")
        self._ctx.name(layer, kind)
        return layer
