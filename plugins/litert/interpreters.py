"""LiteRT's interpreters: made ready for shapes, given a number of threads, and kept in pools."""

from __future__ import annotations

import contextlib
import functools
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfgraft.gate import make_gate
from tfgraft.plugins.protocol import Array
from tfgraft.quiet import quiet_stderr

Shapes = tuple[tuple[int, ...], ...]
_TRIALS = 100
"""So many calls each of several threads and of one are compared; the first half of them is to get going."""
_SMALL_SECONDS = 500e-6
"""A model that takes less is tried with one thread."""


class _Maker:
    """Makes interpreters. The first one in a process writes to standard error that it uses XNNPACK."""

    def __init__(self) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._class = Interpreter
        self._told = False
        self._lock = threading.Lock()

    def make(self, model: bytes, threads: int, order: Sequence[int], shapes: Shapes) -> Any:
        """Return an interpreter that is ready for inputs of these shapes."""
        if self._told:
            return self._make(model, threads, order, shapes)
        with self._lock, quiet_stderr():
            made = self._make(model, threads, order, shapes)
            self._told = True
        return made

    def _make(self, model: bytes, threads: int, order: Sequence[int], shapes: Shapes) -> Any:
        interpreter = self._class(model_content=model, num_threads=threads)
        for detail, i in zip(interpreter.get_input_details(), order, strict=True):
            if tuple(detail["shape"]) != shapes[i]:
                interpreter.resize_tensor_input(detail["index"], shapes[i])
        interpreter.allocate_tensors()
        return interpreter


@functools.cache
def maker() -> _Maker:
    return _Maker()


class Ready:
    """An interpreter that is ready for one set of input shapes; one call uses it at a time.

    If it is told to `try_fewer`, and the model is small, it gives way to one of a single thread for some calls, and
    then to the quicker one.

    Attributes:
        shapes: those of the engine's inputs.
        inputs: the index of each input of the model, and which of the engine's it is.
        outputs: the index of each output.
        set, invoke: the interpreter's functions.
        trying: whether `try_invoke` is to be called instead of `invoke`.
        fits: tells whether arrays are such as the inputs are.
        call: computes copies of the outputs, of such arrays.
        views: make a view of each output, which must not outlive the call; ValueError if it has no elements.
    """

    def __init__(self, make: Callable[[int], Any], threads: int, order: Sequence[int], shapes: Shapes) -> None:
        """`make` makes an interpreter of so many threads."""
        interpreter = make(threads)
        details = interpreter.get_input_details()
        self.shapes = shapes
        self.inputs = [(detail["index"], i) for detail, i in zip(details, order, strict=True)]
        self.outputs = [detail["index"] for detail in interpreter.get_output_details()]
        types = {i: np.dtype(detail["dtype"]) for detail, i in zip(details, order, strict=True)}
        gate = make_gate([types.get(i) for i in range(len(shapes))])
        for i, shape in enumerate(shapes):
            gate.add(i, shape)
        self.fits = gate.fits
        self._use(interpreter)
        self.trying = False
        self._make, self._threads = make, threads
        self._times: list[float] = []
        self._several: tuple[Any, float] | None = None

    def _use(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self.views = [interpreter.tensor(index) for index in self.outputs]
        self.set, self.invoke, get = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor
        raw: Any = getattr(interpreter, "_interpreter", None)
        if all(hasattr(raw, name) for name in ("SetTensor", "Invoke", "GetTensor", "tensor")):
            # The public wrappers' frames, and their look at who holds views, cost as much as a small model's layer.
            self.set, self.invoke, get = raw.SetTensor, raw.Invoke, raw.GetTensor
            self.views = [functools.partial(raw.tensor, raw, index) for index in self.outputs]
        self.call = self._caller(get)

    def _caller(self, get: Callable[[int, int], Array]) -> Callable[[Sequence[Array]], list[Array]]:
        """Return `call`; `get` takes the index of an output, and the number of the subgraph, which is 0."""
        set_, run, inputs, outputs = self.set, self.invoke, self.inputs, self.outputs
        # Not a method: what is dropped must go at once, and would not if it held itself.
        some_empty = functools.partial(_results, self._interpreter, self.views)

        def call(arrays: Sequence[Array]) -> list[Array]:
            for index, i in inputs:
                set_(index, arrays[i])
            run()
            try:
                return [get(index, 0) for index in outputs]
            except ValueError:
                return some_empty()

        if len(inputs) != 1 or len(outputs) != 1:
            return call
        # Without loops it takes 0.2 us less, a sixth of all that a call costs beside the engine.
        ((first, _),), (only,) = inputs, outputs

        def call_simple(arrays: Sequence[Array]) -> list[Array]:
            set_(first, arrays[0])
            run()
            try:
                return [get(only, 0)]
            except ValueError:
                return some_empty()

        return call_simple

    def try_fewer(self) -> None:
        """Find out, in the calls to come, whether a single thread is quicker."""
        self.trying = self._threads > 1

    def try_invoke(self) -> None:
        """Do what `invoke` does, and time it, until it is known how many threads are the quickest."""
        start = time.perf_counter()
        self.invoke()
        self._times.append(time.perf_counter() - start)
        if len(self._times) < _TRIALS:
            return
        seconds = statistics.median(self._times[_TRIALS // 2 :])
        self._times.clear()
        if self._several is None and seconds < _SMALL_SECONDS:
            several = self._interpreter
            self._replace(self._make(1))
            self._several = several, seconds
            return
        if self._several is not None and self._several[1] < seconds:
            self._replace(self._several[0])
        self.trying, self._several = False, None

    def _replace(self, interpreter: Any) -> None:
        """Use another interpreter, which does what this one has just done."""
        values = [self._interpreter.get_tensor(index) for index, _ in self.inputs]
        self._use(interpreter)
        for (index, _), value in zip(self.inputs, values, strict=True):
            self.set(index, value)
        self.invoke()

    def empty(self, i: int) -> Array:
        """Return an output that has no elements: LiteRT makes no array of it."""
        return _empty(self._interpreter, i)


def _empty(interpreter: Any, i: int) -> Array:
    detail = interpreter.get_output_details()[i]
    return np.empty(tuple(map(int, detail["shape"])), detail["dtype"])


def _results(interpreter: Any, views: Sequence[Callable[[], Array]]) -> list[Array]:
    """Return copies of the outputs, some of which have no elements."""
    copies = []
    for i, view in enumerate(views):
        try:
            copies.append(view().copy())
        except ValueError:
            copies.append(_empty(interpreter, i))
    return copies


class Pool:
    """Interpreters that no call uses; each change of `idle` is one step of Python's interpreter, so it has no lock."""

    def __init__(self, make: Callable[[Shapes], Ready], maximum: int) -> None:
        self.idle: list[Ready] = []
        self._make, self._maximum = make, maximum

    def take(self, inputs: Sequence[Array]) -> Ready | None:
        """Return an interpreter for inputs of these shapes; None if one of them is empty, for which there is none."""
        try:
            ready = self.idle.pop()  # that of the last call, mostly
        except IndexError:
            pass
        else:
            if ready.fits(inputs):
                return ready
            self.idle.append(ready)
        return self._find(tuple([array.shape for array in inputs]))

    def put(self, ready: Ready) -> None:
        """Take an interpreter back, and drop those that were not used for longest if there are too many."""
        idle = self.idle
        idle.append(ready)
        if len(idle) > self._maximum:
            del idle[: -self._maximum]

    def _find(self, shapes: Shapes) -> Ready | None:
        for ready in reversed(list(self.idle)):
            if ready.shapes == shapes:
                with contextlib.suppress(ValueError):  # another call was quicker
                    self.idle.remove(ready)
                    return ready
        return self._make(shapes) if all(0 not in shape for shape in shapes) else None
