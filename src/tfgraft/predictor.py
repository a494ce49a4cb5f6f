"""Predictor: calling a grafted model with arrays; straight into the engines where they compute the whole model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tfgraft.arguments import Arguments, Slot
from tfgraft.device_path import DevicePath
from tfgraft.direct import Direct, find_direct, in_turn
from tfgraft.dlpack import gpu_of
from tfgraft.load.model import LoadedModel
from tfgraft.plugins.protocol import Array

if TYPE_CHECKING:
    from tfgraft.runtime.device_tensor import OwnMemory
    from tfgraft.runtime.host_engine import HostEngine

_Run = Callable[[Sequence[Array]], list[Array]]


class _Calls(NamedTuple):
    """How to compute the outputs: for shapes that the engines are known to take, and for any.

    `engine` is the one that computes all of them, as they are, of the inputs as they are, if there is one.
    """

    compute: _Run
    run: _Run
    engine: HostEngine | None = None


class Predictor:
    """Calls a model with arrays and returns new ones, in the memory of the host or a GPU; see `Grafted.predictor`.

    It may be called from several threads.

    Where engines compute the whole model, TensorFlow takes no part in a call. An engine that fails is answered for
    by the native segment, once per cause with a warning and always with a count in `tfgraft.runtime.counters()`, or
    with an `EngineError` if the model was made with `strict=True`.

    Args:
        graph_def: the grafted graph.
        loaded: the model that it was made from.
        function: makes the function to call where there is no direct path.
        memory: the driver of GPUs, CUDA's by default.
    """

    def __init__(
        self, graph_def: Any, loaded: LoadedModel, function: Callable[[], Any], memory: OwnMemory | None = None
    ) -> None:
        self._arguments = Arguments(loaded)
        self._fits = self._arguments.gate.fits
        direct = find_direct(graph_def, loaded)
        library = graph_def.library.SerializeToString
        calls = _engine_calls(direct, library, self._arguments.slots)
        self._is_direct = calls is not None
        if calls is None:
            run = _function_run(loaded, function())
            calls = _Calls(run, run)
        self._compute, self._run, self._engine = calls
        self._on_gpu = DevicePath(direct, library, self._arguments.slots, function, memory)

    @property
    def is_direct(self) -> bool:
        """Whether calls go straight to engines, without TensorFlow."""
        return self._is_direct

    def __call__(self, /, *values: Any, **named: Any) -> Any:
        """Compute the outputs.

        Args:
            values: the inputs in order, or one mapping with all of them by name: NumPy arrays, whatever has
                `__dlpack__` (tensors of PyTorch, JAX or TensorFlow, which are not copied), or nested lists and numbers.
                All are in host memory, or all in the memory of one GPU.
            named: the inputs by name.

        Returns:
            The list of outputs if the inputs were given in order, else a dict of the outputs by name. The names are
            those of the model's signature; a model without one has those that it would be saved with. Every array is
            a new one: of NumPy where the inputs are in host memory, else a
            `tfgraft.runtime.device_tensor.DeviceTensor`, or TensorFlow's tensor where TensorFlow takes part.

        Raises:
            FeedError: an input is missing, unknown, of the wrong type or shape, or in another place than the rest.
            EngineError: the engine failed, and the model was made with `strict=True`.
        """
        given: Sequence[Any] = values
        if named:
            given = self._arguments.by_name(values, named)
        if self._fits(given):  # nearly every call, in as few frames as can be
            engine = self._engine
            if engine is None:
                results = self._compute(given)
            else:
                engine.tick()
                try:
                    results = engine.call(given)
                except Exception as error:
                    results = engine.fall_back(given, error)
            return dict(zip(self._arguments.outputs, results, strict=True)) if named else results
        by_name = bool(named)
        if not named and len(values) == 1 and isinstance(values[0], Mapping):
            given, by_name = self._arguments.by_name(values, named), True
        places = [gpu_of(value) for value in given]
        if any(place is not None for place in places):
            self._arguments.check_count(given)
            results = self._on_gpu.run(given, places)
        else:
            results = self._run(self._arguments.in_order(given))
        return dict(zip(self._arguments.outputs, results, strict=True)) if by_name else results

    def __repr__(self) -> str:
        how = "straight to the engine" if self._is_direct else "through TensorFlow"
        return f"Predictor({how}: {', '.join(self._arguments.inputs)} -> {', '.join(self._arguments.outputs)})"


def _engine_calls(direct: Direct | None, library: Callable[[], bytes], slots: Sequence[Slot]) -> _Calls | None:
    """Return how to compute the outputs by the engines of a model, None if it has none that may be called so."""
    if direct is None:
        return None
    from tfgraft.runtime import host_engine

    engines = []
    for step in direct.steps:
        engine = host_engine(step.node, step.weights, library)
        if engine is None:
            return None
        engines.append(engine)
    for i, slot in enumerate(slots):
        slot.known = _known(
            [
                (engine, k)
                for engine, step in zip(engines, direct.steps, strict=True)
                for k, read in enumerate(step.inputs)
                if read == i
            ]
        )
    count, (first, step) = len(slots), (engines[0], direct.steps[0])
    results = len(step.node.attr["OutT"].list.type)
    if step.inputs == tuple(range(count)) and direct.outputs == tuple(range(count, count + results)):
        return _Calls(first.compute, first.run, first)
    # The shapes of what goes from one engine to another are not known before.
    known = [
        engine.compute if all(i < count for i in step.inputs) else engine.run
        for engine, step in zip(engines, direct.steps, strict=True)
    ]
    return _Calls(in_turn(direct, known), in_turn(direct, [engine.run for engine in engines]))


def _known(places: Sequence[tuple[HostEngine, int]]) -> Callable[[tuple[int, ...]], bool]:
    return lambda shape: all(engine.accepts(place, shape) for engine, place in places)


def _function_run(loaded: LoadedModel, function: Any) -> _Run:
    import tensorflow as tf

    types = [spec.dtype for spec in loaded.inputs]

    def run(arrays: Sequence[Array]) -> list[Array]:
        tensors = [tf.constant(array, dtype) for array, dtype in zip(arrays, types, strict=True)]
        # A function called by name would match its arguments by way of an exception.
        return [np.asarray(t.numpy()) for t in function._call_flat(tensors, function.captured_inputs)]

    return run
