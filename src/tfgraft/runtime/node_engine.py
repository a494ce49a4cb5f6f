"""One engine node called without TensorFlow: its engine, its counters, and its native segment for when that fails."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgraft.errors import EngineError, FeedError
from tfgraft.graph.view import Shape
from tfgraft.plugins.protocol import Array, Device
from tfgraft.runtime.call import ContractError, shape_text
from tfgraft.runtime.capi import numpy_dtype
from tfgraft.runtime.engines import LoadError, describe
from tfgraft.runtime.fallback import fallback_cause, warn_of_fallback
from tfgraft.runtime.node import fits, read_metadata
from tfgraft.runtime.process import Process
from tfgraft.runtime.segment import Segment


class NodeEngine:
    """What the kernel of an engine node is to TensorFlow, for callers with memory of their own. Thread-safe.

    The loaded engine is shared with kernels of the same fingerprint; the counters are those of the node.

    Args:
        process: the runtime's state.
        node: the engine node's NodeDef.
        weights: gives the values of its weight inputs.
        library: gives the graph's function library, serialized.
        device: where the engine runs.
    """

    def __init__(
        self,
        process: Process,
        node: Any,
        weights: Callable[[], Sequence[Array]],
        library: Callable[[], bytes],
        device: Device,
    ) -> None:
        attr = node.attr
        signature = read_metadata(attr["metadata"].s)
        self.name = signature.name
        self._engine: str = attr["engine"].s.decode()
        self._strict: bool = attr["strict"].b
        self._function = (attr["segment"].func.name, list(attr["InT"].list.type), list(attr["OutT"].list.type))
        self._process, self._weights, self._library = process, weights, library
        self._inputs = [info.shape for info in signature.inputs]
        self._outputs = [info.shape for info in signature.outputs]
        self._types = [numpy_dtype(enum) for enum in self._function[2]]
        self._counters = process.counters.node(self.name)
        self.tick = self._counters.tick
        fingerprint = attr["fingerprint"].s.decode()
        payload: bytes = attr["payload"].s
        self._shared = process.acquire(self._engine, fingerprint, device, signature, lambda: payload)
        weakref.finalize(self, process.release, self._shared)

    def accepts(self, i: int, shape: Sequence[int]) -> bool:
        """Tell whether the engine was built for a shape of data input `i`."""
        return fits(shape, self._inputs[i])

    def refusal(self, shapes: Sequence[tuple[int, ...]]) -> ContractError | None:
        """Return why the engine cannot run data inputs of some shapes, None if it can."""
        for i, shape in enumerate(shapes):
            if not self.accepts(i, shape):
                declared, given = shape_text(self._inputs[i]), shape_text(shape)
                return ContractError(f"input {i} has shape {given} and the engine was built for {declared}")
        return None

    def load(self) -> Any:
        """Return the loaded engine's executor.

        Raises:
            LoadError: it cannot be loaded.
        """
        executor = self._shared.get(self._weights, self._counters.loaded)
        if executor is None:
            error = self._shared.failure
            raise LoadError(describe(error) if error else "it was given up")
        return executor

    def fall_back(self, inputs: Sequence[Array], error: Exception) -> list[Array]:
        """Let the segment answer for an engine that failed, or fail if it must not.

        Args:
            inputs: the data inputs, in host memory.
            error: why the engine failed.

        Raises:
            EngineError: the node is strict.
            FeedError: TensorFlow does not take the values either.
        """
        loaded = not isinstance(error, LoadError)
        cause = fallback_cause(error, loaded)
        if self._strict:
            raise EngineError(f"Engine node {self.name!r} (engine {self._engine!r}): {cause}.") from error
        self._counters.fell_back(cause)
        warn_of_fallback(self._process, self.name, self._engine, cause, loaded)
        segment = self._shared.segment(lambda: Segment(self._library(), *self._function))
        try:
            return [np.asarray(result) for result in segment.run([*inputs, *self._weights()])]
        except tf.errors.OpError as failure:
            raise FeedError(f"TensorFlow cannot run the model on these values: {failure.message}") from failure


class NewOutputs:
    """The `Outputs` of one call: new tensors.

    Args:
        shapes: the outputs' declared shapes.
        types: the types of their elements.
        make: returns a new tensor of a shape and type.
    """

    __slots__ = ("_made", "_make", "_shapes", "_types")

    def __init__(
        self,
        shapes: Sequence[Shape],
        types: Sequence[np.dtype[Any]],
        make: Callable[[tuple[int, ...], np.dtype[Any]], Any],
    ) -> None:
        self._shapes, self._types, self._make = shapes, types, make
        self._made: list[Any] = [None] * len(types)

    def allocate(self, i: int, shape: Sequence[int]) -> Any:
        """See `tfgraft.plugins.protocol.Outputs`."""
        if not 0 <= i < len(self._made):
            raise ContractError(f"outputs.allocate({i}) was called and the engine has {len(self._made)} outputs")
        if self._made[i] is not None:
            raise ContractError(f"output {i} was allocated twice")
        if not fits(shape, self._shapes[i]):
            raise ContractError(
                f"output {i} was allocated with shape {shape_text(tuple(shape))} and was declared as "
                f"{shape_text(self._shapes[i])}"
            )
        made = self._made[i] = self._make(tuple(shape), self._types[i])
        return made

    def complete(self) -> list[Any]:
        """Return the tensors.

        Raises:
            ContractError: the engine returned without asking for all of them.
        """
        if any(made is None for made in self._made):
            raise ContractError("the engine returned without allocating all of its outputs")
        return self._made
