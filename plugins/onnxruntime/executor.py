"""Running an ONNX Runtime session on TensorFlow's buffers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.onnxruntime.staged import Staged
from tfgraft.plugins.protocol import Array, Outputs
from tfgraft.plugins.shape_rule import Dims, shape_rule
from tfgraft.plugins.staging import Staging

_IN_PLACE_BYTES = 32768
"""Outputs smaller than this together are copied: that is quicker than binding them."""
_STAGED_BYTES = 16384
"""Up to this size, inputs and outputs together are copied in and out of buffers that stay bound."""
_STAGED_SHAPES = 4
"""So many shapes of the inputs have such buffers, for each thread."""


class OnnxRuntimeExecutor:
    """Runs a session; thread-safe.

    Where the outputs' shapes follow from those of the inputs, ONNX Runtime writes straight into TensorFlow's buffers.
    Where they depend on values its results are copied, and where all tensors are small they pass through buffers that
    stay bound.
    """

    def __init__(
        self,
        session: Any,
        keep: Any,
        inputs: Sequence[TensorInfo],
        outputs: Sequence[TensorInfo],
        lasting: bool = True,
    ) -> None:
        """`keep` is whatever must live as long as the session; types and shapes are those of the engine.

        `lasting` says whether this executor would run all further calls of the same shapes.
        """
        self._lasting = lasting
        # The public wrapper looks at all names again in each call, which costs as much as a small model's run.
        self._session = getattr(session, "_sess", session)
        self._binding_of = session.io_binding
        self._run_bound = session.run_with_iobinding
        self._inputs = [i.name for i in session.get_inputs()]
        self._outputs = [o.name for o in session.get_outputs()]
        self._single = len(self._inputs) == 1
        self._rule = shape_rule(inputs, outputs)
        self._local = threading.local()
        self._keep = (session, keep)

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """See `tfgraft.plugins.protocol.Executor`."""
        self.run_shaped(inputs[0].shape if self._single else tuple([array.shape for array in inputs]), inputs, outputs)

    def compute(self, inputs: Sequence[Array]) -> list[Array]:
        """See `tfgraft.plugins.protocol.HasCompute`."""
        return self.compute_shaped(inputs[0].shape if self._single else tuple([a.shape for a in inputs]), inputs)

    def compute_shaped(self, key: Any, inputs: Sequence[Array]) -> list[Array]:
        """Do what `compute` does; for `key` see `run_shaped`."""
        # As few frames as can be: this is all that small models cost beside ONNX Runtime's own work.
        try:
            call = self._local.staged[key]
        except (AttributeError, KeyError):
            return self._run_unbound(inputs, key)
        for own, array in zip(call.inputs, inputs):  # noqa: B905 (as many as the engine has; strict takes its time)
            own[...] = array
        call.run(call.bound, None)
        return [own.copy() for own in call.outputs]

    def run_shaped(self, key: Any, inputs: Sequence[Array], outputs: Outputs) -> None:
        """Do what `run` does; `key` is the shape of the only input, or the tuple of the inputs' shapes."""
        try:
            call = self._local.staged[key]
        except (AttributeError, KeyError):
            self._run_large(key, inputs, outputs)
            return
        for own, array in zip(call.inputs, inputs):  # noqa: B905 (see `compute_shaped`)
            own[...] = array
        call.run(call.bound, None)
        for i, own in enumerate(call.outputs):
            outputs.allocate(i, own.shape)[...] = own
        if self._lasting:
            self._offer(key, call, outputs)

    def _offer(self, key: Any, call: Staged, outputs: Outputs) -> None:
        """Have the runtime make such calls by itself, if it can and the same shapes come again."""
        local = self._local
        again, local.last = local.last == key, key
        if again and isinstance(outputs, Staging):
            Staged(self._keep[0], self._inputs, self._outputs, call.inputs, call.outputs).offer(outputs)

    def _run_large(self, key: Any, inputs: Sequence[Array], outputs: Outputs) -> None:
        if self._rule is not None:
            made = self._rule(inputs)
            if _elements(made) * 4 >= _IN_PLACE_BYTES:
                self._run_in_place(inputs, made, outputs)
                return
        for i, result in enumerate(self._run_unbound(inputs, key)):
            outputs.allocate(i, result.shape)[...] = result

    def _run_unbound(self, inputs: Sequence[Array], key: Any) -> list[Array]:
        """Run on arrays that ONNX Runtime makes, and prepare small calls for shapes that came twice in a row."""
        results: list[Array] = self._session.run(self._outputs, dict(zip(self._inputs, inputs, strict=True)), None)
        local = self._local
        again = getattr(local, "last", None) == key
        local.last = key
        sizes = [array.nbytes for array in (*inputs, *results)]
        if self._rule is not None and again and all(sizes) and sum(sizes) <= _STAGED_BYTES:
            staged = local.__dict__.setdefault("staged", {})
            if len(staged) >= _STAGED_SHAPES:
                staged.clear()
            staged[key] = Staged(self._keep[0], self._inputs, self._outputs, inputs, results)
        return results

    def _run_in_place(self, inputs: Sequence[Array], shapes: tuple[Dims, ...], outputs: Outputs) -> None:
        binding = getattr(self._local, "binding", None)
        if binding is None:
            binding = self._local.binding = self._binding_of()
        for name, array in zip(self._inputs, inputs, strict=True):
            binding.bind_input(name, "cpu", 0, array.dtype, array.shape, _address(array))
        for i, (name, shape) in enumerate(zip(self._outputs, shapes, strict=True)):
            out = outputs.allocate(i, shape)
            binding.bind_output(name, "cpu", 0, out.dtype, shape, _address(out))
        self._run_bound(binding)


def _elements(shapes: tuple[Dims, ...]) -> int:
    total = 0
    for shape in shapes:
        count = 1
        for dim in shape:
            count *= dim
        total += count
    return total


def _address(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
