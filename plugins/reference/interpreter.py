"""Running a network in numpy, tensor by tensor, from its outputs backwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tfgraft.plugins.reference.layers.families import LAYERS
from tfgraft.plugins.reference.network import Array, Layer, Network, dtype_of
from tfgraft.plugins.reference.scopes import Loop, conditions, find_loops

_SCOPED = frozenset({"recurrence", "iterator", "loop_output", "conditional_input", "conditional_output"})
_NO_OUTPUT = frozenset({"trip_limit", "condition", "assertion"})


class InterpreterError(Exception):
    """A layer that the interpreter does not know or that failed; the message names it."""


@dataclass
class _Frame:
    """The values of one run, or of one iteration of a loop in it."""

    parent: _Frame | None = None
    variant: frozenset[str] = frozenset()
    values: dict[str, Array] = field(default_factory=dict)
    uses: dict[str, int] = field(default_factory=dict)

    def owner(self, tensor: str) -> _Frame:
        """Return the innermost frame in whose iterations the tensor changes, or the outermost."""
        frame = self
        while frame.parent is not None and tensor not in frame.variant:
            frame = frame.parent
        return frame

    def get(self, tensor: str) -> Array | None:
        return self.owner(tensor).values.get(tensor)


class Interpreter:
    """Runs a network; it has no state that a run changes, so threads may share it.

    A tensor is computed when something asks for it: of a conditional only the branch that is taken, of a network only
    what its outputs (and its assertions) need. Layers compute as TensorRT documents them, FP16 and BF16 with FP32
    accumulation and rounding after each layer.
    """

    def __init__(self, network: Network) -> None:
        """Prepare a network.

        Raises:
            InterpreterError: the network has a layer of a kind that the interpreter does not know, or reads a tensor
                that nothing makes.
        """
        self.network = network
        self._makers = {tensor: layer for layer in network.layers for tensor in layer.outputs}
        self._loops = find_loops(network)
        self._conditions = conditions(network)
        known = {tensor.name for tensor in network.inputs} | self._makers.keys()
        for layer in network.layers:
            if layer.kind not in LAYERS and layer.kind not in _SCOPED | _NO_OUTPUT:
                raise InterpreterError(f"layer {layer.name!r} is of kind {layer.kind!r}, which the interpreter lacks")
            for tensor in layer.inputs:
                if tensor and tensor not in known:
                    raise InterpreterError(f"layer {layer.name!r} reads {tensor!r}, which nothing makes")
        self._assertions = self._unconditional_assertions()
        self._uses = self._count_uses()

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Compute the outputs.

        Args:
            inputs: an array for each input of the network, by name, of its dtype and rank. They are not written.

        Returns:
            The outputs by name; they may share memory with the inputs and the network's weights.

        Raises:
            ValueError: an input is missing or has another dtype or shape than the network declares.
            InterpreterError: a layer failed, or an assertion of the network does not hold.
        """
        root = _Frame(uses=dict(self._uses))
        for tensor in self.network.inputs:
            if tensor.name not in inputs:
                raise ValueError(f"input {tensor.name!r} is missing")
            value = np.asarray(inputs[tensor.name])
            shape = tensor.shape or ()
            if value.dtype != dtype_of(tensor.dtype):
                raise ValueError(f"input {tensor.name!r} is {tensor.dtype}, not {value.dtype}")
            if value.ndim != len(shape) or any(d not in (-1, n) for d, n in zip(shape, value.shape, strict=True)):
                raise ValueError(f"input {tensor.name!r} has shape {shape}, not {value.shape}")
            root.values[tensor.name] = value
        with np.errstate(all="ignore"):
            for layer in self._assertions:
                if not np.all(self._value(root, layer.inputs[0])):
                    raise InterpreterError(f"assertion {layer.name!r} does not hold: {layer.attrs.get('message')}")
            return {tensor.name: self._value(root, tensor.name) for tensor in self.network.outputs}

    def _value(self, frame: _Frame, wanted: str) -> Array:
        """Return a tensor's value, computing what it needs; with a stack of its own, for networks may be deep."""
        stack = [wanted]
        while stack:
            tensor = stack[-1]
            owner = frame.owner(tensor)
            if tensor in owner.values:
                stack.pop()
                continue
            layer = self._makers[tensor]
            missing = [t for t in self._needs(frame, layer) if t and frame.get(t) is None]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            if layer.kind == "loop_output":
                self._run_loop(frame, self._loops[str(layer.attrs["loop"])])
            else:
                for name, value in zip(layer.outputs, self._compute(frame, layer), strict=True):
                    owner.values[name] = value
                self._release(frame, layer)
        return self._known(frame, wanted)

    def _needs(self, frame: _Frame, layer: Layer) -> Sequence[str]:
        """Return the tensors a layer needs next: of a conditional first the condition, then the branch it takes."""
        if layer.kind == "loop_output":
            return self._loops[str(layer.attrs["loop"])].outer
        if layer.kind == "conditional_output":
            condition = self._conditions[str(layer.attrs["conditional"])]
            taken = frame.get(condition)
            return [condition] if taken is None else [layer.inputs[0 if taken.all() else 1]]
        return layer.inputs

    def _compute(self, frame: _Frame, layer: Layer) -> Sequence[Array]:
        if layer.kind == "conditional_input":
            return [self._known(frame, layer.inputs[0])]
        if layer.kind == "conditional_output":
            return [self._known(frame, self._needs(frame, layer)[0])]
        values = [frame.get(tensor) if tensor else None for tensor in layer.inputs]
        try:
            return LAYERS[layer.kind](layer, values)
        except Exception as error:  # whatever numpy raises, the user is told where
            shapes = ", ".join("none" if v is None else f"{v.dtype}{list(v.shape)}" for v in values)
            raise InterpreterError(
                f"layer {layer.name!r} ({layer.kind}) failed on {shapes}: {type(error).__name__}: {error}"
            ) from error

    def _known(self, frame: _Frame, tensor: str) -> Array:
        value = frame.get(tensor)
        assert value is not None
        return value

    def _release(self, frame: _Frame, layer: Layer) -> None:
        if frame.parent is None:
            for tensor in layer.inputs:
                if tensor in frame.uses:
                    frame.uses[tensor] -= 1
                    if frame.uses[tensor] == 0:
                        del frame.values[tensor]

    def _run_loop(self, frame: _Frame, loop: Loop) -> None:
        """Run a loop whose outer tensors are known, and store all its outputs where they belong."""
        counts = [self._known(frame, t.inputs[0]).item() for t in loop.limits if t.attrs["kind"] == "COUNT"]
        whiles = [t.inputs[0] for t in loop.limits if t.attrs["kind"] == "WHILE"]
        count = min(counts) if counts else None
        state = {layer.outputs[0]: self._known(frame, layer.inputs[0]) for layer in loop.recurrences}
        stacked = [layer for layer in loop.outputs if layer.attrs["kind"] != "LAST_VALUE"]
        collected: dict[str, list[Array]] = {layer.outputs[0]: [] for layer in stacked}
        step = 0
        while True:
            body = _Frame(frame, loop.variant, dict(state))
            if count is not None and step >= count:
                break
            for layer in loop.iterators:
                body.values[layer.outputs[0]] = self._element(frame, layer, step, count)
            if not all(self._value(body, tensor).item() for tensor in whiles):
                break
            for layer in stacked:
                collected[layer.outputs[0]].append(self._value(body, layer.inputs[0]))
            state = {layer.outputs[0]: self._value(body, layer.inputs[1]) for layer in loop.recurrences}
            step += 1
        for layer in loop.outputs:
            out = layer.outputs[0]
            if layer.attrs["kind"] == "LAST_VALUE":
                value = self._value(body, layer.inputs[0])
            else:
                length = self._known(frame, layer.inputs[1]).item()
                if not collected[out] and length:
                    raise InterpreterError(f"loop output {layer.name!r} has {length} elements and no iteration ran")
                # Without any iteration the elements' shape is known only from an iteration run for it.
                items = collected[out] or [self._trial(frame, body, loop, layer.inputs[0])]
                value = _stack(items, len(collected[out]), length, layer)
            frame.owner(out).values[out] = value

    def _element(self, frame: _Frame, layer: Layer, step: int, count: int | None) -> Array:
        source = self._known(frame, layer.inputs[0])
        axis = int(layer.attrs["axis"])
        length = source.shape[axis] if count is None else count
        return source.take(length - 1 - step if layer.attrs["reverse"] else step, axis)

    def _trial(self, frame: _Frame, body: _Frame, loop: Loop, tensor: str) -> Array:
        for layer in loop.iterators:
            source = self._known(frame, layer.inputs[0])
            axis = int(layer.attrs["axis"])
            shape = source.shape[:axis] + source.shape[axis + 1 :]
            body.values.setdefault(layer.outputs[0], np.zeros(shape, source.dtype))
        return self._value(body, tensor)

    def _unconditional_assertions(self) -> list[Layer]:
        """Return the assertions outside loops and conditionals."""
        inner: set[str] = set()
        for loop in self._loops.values():
            inner |= loop.variant
        queue = [t for layer in self.network.layers if layer.kind == "conditional_input" for t in layer.outputs]
        readers: dict[str, list[str]] = {}
        for layer in self.network.layers:
            if layer.kind != "conditional_output":
                for tensor in layer.inputs:
                    readers.setdefault(tensor, []).extend(layer.outputs)
        while queue:
            tensor = queue.pop()
            if tensor not in inner:
                inner.add(tensor)
                queue.extend(readers.get(tensor, ()))
        return [layer for layer in self.network.layers if layer.kind == "assertion" and layer.inputs[0] not in inner]

    def _count_uses(self) -> dict[str, int]:
        """Return how many layers read each tensor, for those that can be dropped when all of them have run."""
        inner = {tensor for loop in self._loops.values() for tensor in loop.variant}
        keep = inner | {tensor.name for tensor in (*self.network.inputs, *self.network.outputs)}
        uses: dict[str, int] = {}
        for layer in self.network.layers:
            if layer.kind in _SCOPED | _NO_OUTPUT or any(tensor in inner for tensor in layer.outputs):
                keep |= set(layer.inputs)
            for tensor in layer.inputs:
                uses[tensor] = uses.get(tensor, 0) + 1
        # A constant's value is there anyway, and so is what is never computed again.
        return {tensor: count for tensor, count in uses.items() if tensor and tensor not in keep}


def _stack(items: Sequence[Array], filled: int, length: int, layer: Layer) -> Array:
    """Join the values of a loop's iterations along a new axis of a given length."""
    if filled > length:
        raise InterpreterError(f"loop output {layer.name!r} has {length} elements, and {filled} iterations ran")
    value = np.zeros((length, *items[0].shape), items[0].dtype)
    if filled:
        value[:filled] = np.stack(items[:filled])
    if layer.attrs["kind"] == "REVERSE":
        value = value[::-1]
    return np.moveaxis(value, 0, int(layer.attrs["axis"]))
