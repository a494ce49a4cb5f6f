"""Running an interpreted network on TensorFlow's buffers."""

from __future__ import annotations

from collections.abc import Sequence

from tfgraft.plugins.protocol import Array, Outputs
from tfgraft.plugins.reference.interpreter import Interpreter


class ReferenceExecutor:
    """Runs a network whose inputs are input_0, input_1, ... and whose outputs are output_0, ...; thread-safe."""

    def __init__(self, interpreter: Interpreter) -> None:
        """`interpreter` is shared by all threads."""
        self._interpreter = interpreter
        self._count = len(interpreter.network.outputs)

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """See `tfgraft.plugins.protocol.Executor`."""
        results = self._interpreter.run({f"input_{i}": value for i, value in enumerate(inputs)})
        for i in range(self._count):
            value = results[f"output_{i}"]
            outputs.allocate(i, value.shape)[...] = value
