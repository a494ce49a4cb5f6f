"""One engine node called on arrays in host memory, without TensorFlow: the direct path of predictors."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgraft.errors import EngineError, FeedError
from tfgraft.graph.view import Shape
from tfgraft.plugins.protocol import Array, Device, HasCompute
from tfgraft.runtime.call import ContractError, shape_text
from tfgraft.runtime.capi import numpy_dtype
from tfgraft.runtime.engines import LoadError, describe
from tfgraft.runtime.fallback import fallback_cause, warn_of_fallback
from tfgraft.runtime.node import fits, read_metadata
from tfgraft.runtime.process import Process
from tfgraft.runtime.segment import Segment


class HostEngine:
    """What the kernel of an engine node is to TensorFlow, for callers with arrays. Thread-safe.

    The loaded engine is shared with kernels of the same fingerprint; the counters are those of the node.

    Who calls small models often does by itself what `compute` does: `tick()`, then `call(inputs)`, and where that
    raises `fall_back(inputs, error)`. Once a model has been through the caches a frame of Python costs more than that.

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
        self._counters = process.counters.node(self.name)
        self.tick = self._counters.tick
        fingerprint = attr["fingerprint"].s.decode()
        payload: bytes = attr["payload"].s
        self._shared = process.acquire(self._engine, fingerprint, Device(), signature, lambda: payload)
        weakref.finalize(self, process.release, self._shared)
        self.call: Callable[[Sequence[Array]], list[Array]] = self._load
        with contextlib.suppress(LoadError):  # the calls tell of it
            self._executor()

    def compute(self, inputs: Sequence[Array]) -> list[Array]:
        """Compute all outputs, in new arrays.

        Args:
            inputs: the data inputs, C-contiguous, of the engine's types, and of shapes that it was built for.

        Raises:
            EngineError: the engine failed, and the node is strict.
            FeedError: the engine failed, and TensorFlow does not take the values either.
        """
        self.tick()
        try:
            return self.call(inputs)
        except Exception as error:
            return self.fall_back(inputs, error)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Do what `compute` does, for inputs of any shape."""
        for i, array in enumerate(inputs):
            if not self.accepts(i, array.shape):
                self.tick()
                declared, given = shape_text(self._inputs[i]), shape_text(array.shape)
                error = ContractError(f"input {i} has shape {given} and the engine was built for {declared}")
                return self.fall_back(inputs, error)
        return self.compute(inputs)

    def accepts(self, i: int, shape: Sequence[int]) -> bool:
        """Tell whether the engine was built for a shape of data input `i`."""
        return fits(shape, self._inputs[i])

    def _load(self, inputs: Sequence[Array]) -> list[Array]:
        self._executor()
        return self.call(inputs)

    def _executor(self) -> None:
        """Find the loaded engine.

        Raises:
            LoadError: it cannot be loaded.
        """
        executor: Any = self._shared.get(self._weights, self._counters.loaded)
        if executor is None:
            error = self._shared.failure
            raise LoadError(describe(error) if error else "it was given up")
        run = executor.run
        self.call = executor.compute if isinstance(executor, HasCompute) else lambda inputs: self._fill(run, inputs)

    def _fill(self, run: Callable[..., None], inputs: Sequence[Array]) -> list[Array]:
        outputs = _Outputs(self._outputs, self._types)
        run(inputs, outputs)
        if any(array is None for array in outputs.arrays):
            raise ContractError("the engine returned without allocating all of its outputs")
        return outputs.arrays

    def fall_back(self, inputs: Sequence[Array], error: Exception) -> list[Array]:
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
    """The `Outputs` of one call: new arrays."""

    __slots__ = ("_shapes", "_types", "arrays")

    def __init__(self, shapes: Sequence[Shape], types: Sequence[np.dtype[Any]]) -> None:
        self._shapes, self._types = shapes, types
        self.arrays: list[Any] = [None] * len(types)

    def allocate(self, i: int, shape: Sequence[int]) -> Array:
        """See `tfgraft.plugins.protocol.Outputs`."""
        if not 0 <= i < len(self.arrays):
            raise ContractError(f"outputs.allocate({i}) was called and the engine has {len(self.arrays)} outputs")
        if self.arrays[i] is not None:
            raise ContractError(f"output {i} was allocated twice")
        if not fits(shape, self._shapes[i]):
            raise ContractError(
                f"output {i} was allocated with shape {shape_text(tuple(shape))} and was declared as "
                f"{shape_text(self._shapes[i])}"
            )
        array = self.arrays[i] = np.empty(tuple(shape), self._types[i])
        return array
