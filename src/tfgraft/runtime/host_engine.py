"""One engine node called on arrays in host memory, without TensorFlow: the direct path of predictors."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgraft.errors import EngineError, FeedError
from tfgraft.plugins.protocol import Array, Device
from tfgraft.runtime.call import ContractError, shape_text
from tfgraft.runtime.capi import numpy_dtype
from tfgraft.runtime.engines import LoadError, describe
from tfgraft.runtime.fallback import fallback_cause, warn_of_fallback
from tfgraft.runtime.node import fits, read_metadata
from tfgraft.runtime.process import Process
from tfgraft.runtime.segment import Segment

Shapes = list[tuple[int, ...] | None]


class HostEngine:
    """What the kernel of an engine node is to TensorFlow, for callers with arrays. Thread-safe.

    The loaded engine is shared with kernels of the same fingerprint; the counters are those of the node.

    Args:
        process: the runtime's state.
        node: the engine node's NodeDef.
        weights: gives the values of its weight inputs.
        library: gives the graph's function library, serialized.
    """

    def __init__(
        self, process: Process, node: Any, weights: Callable[[], Sequence[Array]], library: Callable[[], bytes]
    ) -> None:
        attr = node.attr
        signature = read_metadata(attr["metadata"].s)
        self.name = signature.name
        self._engine: str = attr["engine"].s.decode()
        self._strict: bool = attr["strict"].b
        self._segment = (attr["segment"].func.name, list(attr["InT"].list.type), list(attr["OutT"].list.type))
        self._process, self._weights, self._library = process, weights, library
        self._inputs = [info.shape for info in signature.inputs]
        self._outputs = [info.shape for info in signature.outputs]
        self._types = [numpy_dtype(enum) for enum in self._segment[2]]
        # Shapes of the last call: what they were checked against need not be looked at again.
        self._last_inputs: Shapes = [None] * len(self._inputs)
        self._last_outputs: Shapes = [None] * len(self._outputs)
        self._counters = process.counters.node(self.name)
        self._tick = self._counters.tick
        fingerprint = attr["fingerprint"].s.decode()
        payload: bytes = attr["payload"].s
        self._shared = process.acquire(self._engine, fingerprint, Device(), signature, lambda: payload)
        weakref.finalize(self, process.release, self._shared)
        executor: Any = self._shared.get(weights, self._counters.loaded)
        self._execute: Callable[..., None] | None = None if executor is None else executor.run

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Compute all outputs, in new arrays.

        Args:
            inputs: the data inputs, C-contiguous, of the engine's types.

        Raises:
            EngineError: the engine failed, and the node is strict.
            FeedError: the engine failed, and TensorFlow does not take the values either.
        """
        self._tick()
        try:
            last = self._last_inputs
            for i, array in enumerate(inputs):
                if array.shape != last[i]:
                    self._accept(i, array.shape)
            execute = self._execute
            if execute is None:
                execute = self._load()
            outputs = _Outputs(self)
            execute(inputs, outputs)
            if outputs.missing:
                raise ContractError(f"the engine returned without allocating {outputs.missing} of its outputs")
            return outputs.arrays
        except Exception as error:
            return self._fall_back(inputs, error)

    def _accept(self, i: int, shape: tuple[int, ...]) -> None:
        if not fits(shape, self._inputs[i]):
            raise ContractError(
                f"input {i} has shape {shape_text(shape)} and the engine was built for {shape_text(self._inputs[i])}"
            )
        self._last_inputs[i] = shape

    def buffer(self, i: int, shape: Sequence[int]) -> Array:
        """Return a new array for output `i`; raise ContractError if the output cannot have that shape."""
        shape = tuple(shape)
        if shape != self._last_outputs[i]:
            if not fits(shape, self._outputs[i]):
                raise ContractError(
                    f"output {i} was allocated with shape {shape_text(shape)} and was declared as "
                    f"{shape_text(self._outputs[i])}"
                )
            self._last_outputs[i] = shape
        return np.empty(shape, self._types[i])

    def _load(self) -> Callable[..., None]:
        executor: Any = self._shared.get(self._weights, self._counters.loaded)
        if executor is None:
            error = self._shared.failure
            raise LoadError(describe(error) if error else "it was given up")
        self._execute = executor.run
        return self._execute

    def _fall_back(self, inputs: Sequence[Array], error: Exception) -> list[Array]:
        """Let the segment answer for an engine that failed, or fail if it must not."""
        loaded = not isinstance(error, LoadError)
        cause = fallback_cause(error, loaded)
        if self._strict:
            raise EngineError(f"Engine node {self.name!r} (engine {self._engine!r}): {cause}.") from error
        self._counters.fell_back(cause)
        warn_of_fallback(self._process, self.name, self._engine, cause, loaded)
        segment = self._shared.segment(lambda: Segment(self._library(), *self._segment))
        try:
            return [np.asarray(result) for result in segment.run([*inputs, *self._weights()])]
        except tf.errors.OpError as failure:
            raise FeedError(f"TensorFlow cannot run the model on these values: {failure.message}") from failure


class _Outputs:
    """The `Outputs` of one call."""

    __slots__ = ("_engine", "arrays", "missing")

    def __init__(self, engine: HostEngine) -> None:
        self._engine = engine
        self.missing = len(engine._types)
        self.arrays: list[Any] = [None] * self.missing

    def allocate(self, i: int, shape: Sequence[int]) -> Array:
        """See `tfgraft.plugins.protocol.Outputs`."""
        if not 0 <= i < len(self.arrays):
            raise ContractError(f"outputs.allocate({i}) was called and the engine has {len(self.arrays)} outputs")
        if self.arrays[i] is not None:
            raise ContractError(f"output {i} was allocated twice")
        array = self.arrays[i] = self._engine.buffer(i, shape)
        self.missing -= 1
        return array
