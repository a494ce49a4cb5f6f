"""Running a compiled OpenVINO model on TensorFlow's buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.protocol import Array, Outputs
from tfgraft.plugins.shape_rule import allocate_empty, shape_rule


class _Request:
    """An infer request, and the arrays that its tensors are views of; one call uses it at a time.

    Setting a tensor costs OpenVINO more than a small model's run, and TensorFlow's buffers come back at the same
    addresses: then the arrays are the same objects, and what was set last time still holds.
    """

    def __init__(self, made: Any, inputs: int, outputs: int) -> None:
        self.made = made
        # The public method converts and copies in each call; the one below it takes tensors as they are set.
        plain: Any = super(type(made), made)
        self.infer = plain.infer
        self.inputs: list[Array | None] = [None] * inputs
        self.outputs: list[Array | None] = [None] * outputs


class OpenVinoExecutor:
    """Runs a compiled model; thread-safe: each call takes an infer request from a pool.

    Inputs are read where TensorFlow has them. Where the outputs' shapes follow from those of the inputs OpenVINO
    writes into TensorFlow's buffers; where they depend on values its results are copied.
    """

    def __init__(
        self, openvino: Any, compiled: Any, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]
    ) -> None:
        """Types and shapes are those of the engine."""
        self._tensor = openvino.Tensor
        self._compiled = compiled
        names = {name: port for port, each in enumerate(compiled.inputs) for name in each.get_names()}
        types = [each.get_element_type() for each in compiled.inputs]
        # An input whose values do not matter, but its shape at most, is not in the model any more.
        ports = [(i, names[f"input_{i}"]) for i in range(len(inputs)) if f"input_{i}" in names]
        self._inputs = [(i, port, types[port]) for i, port in ports]
        self._outputs = len(outputs)
        self._rule = shape_rule(inputs, outputs)
        self._free: list[_Request] = []

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """See `tfgraft.plugins.protocol.Executor`.

        Raises:
            EmptyInput: an input is empty and an output is not: OpenVINO leaves undefined what a sum over nothing is.
        """
        if not all(array.size for array in inputs):
            allocate_empty(self._rule, inputs, outputs)
            return
        try:
            request = self._free.pop()
        except IndexError:
            request = _Request(self._compiled.create_infer_request(), len(inputs), self._outputs)
        self._run(request, inputs, outputs)
        self._free.append(request)  # one that failed is not used again

    def _run(self, request: _Request, inputs: Sequence[Array], outputs: Outputs) -> None:
        made = request.made
        for i, port, dtype in self._inputs:
            array = inputs[i]
            if array is not request.inputs[i]:
                # With a type given it takes arrays that are read-only; OpenVINO writes no inputs.
                made.set_input_tensor(port, self._tensor(array, array.shape, dtype))
                request.inputs[i] = array
        if self._rule is None:
            for i, result in enumerate(request.infer({}, True, False).values()):
                outputs.allocate(i, result.shape)[...] = result
            return
        for i, shape in enumerate(self._rule(inputs)):
            array = outputs.allocate(i, shape)
            if array is not request.outputs[i]:
                made.set_output_tensor(i, self._tensor(array, shared_memory=True))
                request.outputs[i] = array
        request.infer({}, True, False)
