"""Running a LiteRT model on TensorFlow's buffers."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.litert.interpreters import Pool, Ready, Shapes, maker
from tfgraft.plugins.protocol import Array, Outputs
from tfgraft.plugins.shape_rule import allocate_empty, shape_rule


class _Empty:
    """The `Outputs` of a call without elements: arrays in the order in which they are allocated."""

    def __init__(self, types: Sequence[np.dtype[Any]]) -> None:
        self._types = types
        self.arrays: list[Array] = []

    def allocate(self, i: int, shape: Sequence[int]) -> Array:
        self.arrays.append(np.empty(tuple(shape), self._types[i]))
        return self.arrays[-1]


class LiteRtExecutor:
    """Runs a model; thread-safe: each call takes an interpreter from a pool.

    An interpreter is made ready for the shapes of its inputs once, so a pool has several where shapes change or calls
    come at the same time; those that were not used for longest are dropped. Calls in TensorFlow and without it have
    pools of their own: in TensorFlow several threads may be slower than one, since they sleep while its threads hand a
    call over, and a small model is done before they wake. Inputs and outputs are copied, since LiteRT plans its own
    memory.
    """

    def __init__(
        self,
        model: bytes,
        order: Sequence[int],
        inputs: Sequence[TensorInfo],
        outputs: Sequence[TensorInfo],
        threads: int,
        maximum: int,
    ) -> None:
        """Make an interpreter, if the shapes are known.

        Args:
            model: the LiteRT model.
            order: which of the engine's inputs each of the model's is.
            inputs: types and shapes of the engine's inputs.
            outputs: the same of the outputs.
            threads: of an interpreter, at most.
            maximum: bounds each pool.
        """
        first: list[Ready] = []
        """Made at once where there is but one set of shapes, so that who loads the engine sees that it can be."""

        def make(shapes: Shapes) -> Ready:
            with contextlib.suppress(IndexError):
                return first.pop()
            return Ready(lambda count: maker().make(model, count, order, shapes), threads, order, shapes)

        def make_within(shapes: Shapes) -> Ready:
            ready = make(shapes)
            ready.try_fewer()
            return ready

        self._rule = shape_rule(inputs, outputs)
        self._types = [np.dtype(info.dtype) for info in outputs]
        self._within, self._alone = Pool(make_within, maximum), Pool(make, maximum)
        if all(info.is_static for info in inputs):
            first.append(make(tuple(info.shape or () for info in inputs)))

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """See `tfgraft.plugins.protocol.Executor`.

        Raises:
            EmptyInput: an input is empty and an output is not.
        """
        # As few frames as can be: on a thread that TensorFlow has just woken each costs microseconds.
        ready = self._within.take(inputs)
        if ready is None:
            allocate_empty(self._rule, inputs, outputs)
            return
        for index, i in ready.inputs:
            ready.set(index, inputs[i])
        if ready.trying:
            ready.try_invoke()
        else:
            ready.invoke()
        for i, view in enumerate(ready.views):
            try:
                result = view()
            except ValueError:
                result = ready.empty(i)
            outputs.allocate(i, result.shape)[...] = result
        self._within.put(ready)

    def compute(self, inputs: Sequence[Array]) -> list[Array]:
        """See `tfgraft.plugins.protocol.HasCompute`; raises what `run` does."""
        ready = self._alone.take(inputs)
        if ready is None:
            empty = _Empty(self._types)
            allocate_empty(self._rule, inputs, empty)
            return empty.arrays
        results = ready.call(inputs)
        self._alone.put(ready)
        return results
