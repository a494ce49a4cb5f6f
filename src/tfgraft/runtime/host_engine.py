"""One engine node called on arrays in host memory, without TensorFlow: the direct path of predictors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfgraft.plugins.protocol import Array, Device, HasCompute
from tfgraft.runtime.engines import LoadError
from tfgraft.runtime.node_engine import NewOutputs, NodeEngine
from tfgraft.runtime.process import Process


class HostEngine(NodeEngine):
    """A `NodeEngine` for arrays.

    Who calls small models often does by itself what `compute` does: `tick()`, then `call(inputs)`, and where that
    raises `fall_back(inputs, error)`. Once a model has been through the caches a frame of Python costs more than that.

    Args:
        process, node, weights, library: see `NodeEngine`.
        load_now: whether the engine is loaded before the first call.
    """

    def __init__(
        self,
        process: Process,
        node: Any,
        weights: Callable[[], Sequence[Array]],
        library: Callable[[], bytes],
        load_now: bool = True,
    ) -> None:
        super().__init__(process, node, weights, library, Device())
        self.call: Callable[[Sequence[Array]], list[Array]] = self._load
        if load_now:
            with contextlib.suppress(LoadError):  # the calls tell of it
                self._find()

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
        refusal = self.refusal([array.shape for array in inputs])
        if refusal is not None:
            self.tick()
            return self.fall_back(inputs, refusal)
        return self.compute(inputs)

    def _load(self, inputs: Sequence[Array]) -> list[Array]:
        self._find()
        return self.call(inputs)

    def _find(self) -> None:
        executor = self.load()
        run = executor.run
        self.call = executor.compute if isinstance(executor, HasCompute) else lambda inputs: self._fill(run, inputs)

    def _fill(self, run: Callable[..., None], inputs: Sequence[Array]) -> list[Array]:
        outputs = NewOutputs(self._outputs, self._types, np.empty)
        run(inputs, outputs)
        return outputs.complete()
