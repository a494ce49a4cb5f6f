"""Running a cluster by XLA on host arrays: what verification and other callers outside of TensorFlow's graph use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfgraft.plugins.protocol import Array, BuiltEngine, Outputs
from tfgraft.plugins.xla.call import call_function


class XlaExecutor:
    """Calls the cluster's function; thread-safe, as functions of TensorFlow are. It keeps a copy of the weights."""

    def __init__(self, engine: BuiltEngine, weights: Sequence[Array]) -> None:
        import tensorflow as tf

        self._function = call_function(engine.payload, (*engine.inputs, *engine.weights), engine.outputs)
        self._types = [info.dtype for info in engine.inputs]
        with tf.device("/CPU:0"):
            self._weights = [tf.constant(w, info.dtype) for w, info in zip(weights, engine.weights, strict=True)]

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """See `tfgraft.plugins.protocol.Executor`."""
        import tensorflow as tf

        with tf.device("/CPU:0"):
            values = [tf.constant(x, dtype) for x, dtype in zip(inputs, self._types, strict=True)]
            results: Sequence[Any] = self._function._call_flat([*values, *self._weights], [])
        for i, result in enumerate(results):
            array = result.numpy()
            outputs.allocate(i, array.shape)[...] = array
