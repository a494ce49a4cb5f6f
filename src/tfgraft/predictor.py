"""Predictor: calling a grafted model with arrays; straight into the engine where one computes the whole model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfgraft.arguments import Arguments
from tfgraft.direct import find_direct
from tfgraft.load.model import LoadedModel
from tfgraft.plugins.protocol import Array

_Run = Callable[[Sequence[Array]], list[Array]]


class Predictor:
    """Calls a model with arrays in host memory and returns arrays of its own; see `Grafted.predictor`. Thread-safe.

    Where one engine computes the whole model, TensorFlow takes no part in a call. An engine that fails is answered for
    by the native segment, once per cause with a warning and always with a count in `tfgraft.runtime.counters()`, or
    with an `EngineError` if the model was made with `strict=True`.

    Args:
        graph_def: the grafted graph.
        loaded: the model that it was made from.
        function: makes the function to call where there is no direct path.
    """

    def __init__(self, graph_def: Any, loaded: LoadedModel, function: Callable[[], Any]) -> None:
        self._arguments = Arguments(loaded)
        run = _engine_run(graph_def, loaded)
        self._is_direct = run is not None
        self._run: _Run = _function_run(loaded, function()) if run is None else run

    @property
    def is_direct(self) -> bool:
        """Whether calls go straight to an engine, without TensorFlow."""
        return self._is_direct

    def __call__(self, *values: Any, **named: Any) -> Any:
        """Compute the outputs.

        Args:
            values: the inputs in order, or one mapping with all of them by name: NumPy arrays, whatever has
                `__dlpack__` (tensors of PyTorch, JAX or TensorFlow in host memory, which are not copied), or nested
                lists and numbers.
            named: the inputs by name.

        Returns:
            The list of outputs if the inputs were given in order, else a dict of the outputs by name. The names are
            those of the model's signature; a model without one has those that it would be saved with. Every array is
            a new one.

        Raises:
            FeedError: an input is missing, unknown, or of the wrong type or shape.
            EngineError: the engine failed, and the model was made with `strict=True`.
        """
        if named or (len(values) == 1 and isinstance(values[0], Mapping)):
            results = self._run(self._arguments.by_name(values, named))
            return dict(zip(self._arguments.outputs, results, strict=True))
        return self._run(self._arguments.in_order(values))

    def __repr__(self) -> str:
        how = "straight to the engine" if self._is_direct else "through TensorFlow"
        return f"Predictor({how}: {', '.join(self._arguments.inputs)} -> {', '.join(self._arguments.outputs)})"


def _engine_run(graph_def: Any, loaded: LoadedModel) -> _Run | None:
    """Return how to compute the outputs by the one engine of a model; None if it has none that may be called so."""
    direct = find_direct(graph_def, loaded)
    if direct is None:
        return None
    from tfgraft.runtime import host_engine

    engine = host_engine(direct.node, direct.weights, graph_def.library.SerializeToString)
    if engine is None:
        return None
    run, inputs, outputs = engine.run, direct.inputs, direct.outputs
    if inputs == tuple(range(len(loaded.inputs))) and outputs == tuple(range(len(direct.node.attr["OutT"].list.type))):
        return run

    def rearranged(arrays: Sequence[Array]) -> list[Array]:
        results = run([arrays[i] for i in inputs])
        return [results[i] for i in outputs]

    return rearranged


def _function_run(loaded: LoadedModel, function: Any) -> _Run:
    import tensorflow as tf

    types = [spec.dtype for spec in loaded.inputs]

    def run(arrays: Sequence[Array]) -> list[Array]:
        tensors = [tf.constant(array, dtype) for array, dtype in zip(arrays, types, strict=True)]
        # A function called by name would match its arguments by way of an exception.
        return [np.asarray(t.numpy()) for t in function._call_flat(tensors, function.captured_inputs)]

    return run
