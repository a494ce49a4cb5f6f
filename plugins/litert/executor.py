"""Running a LiteRT model on TensorFlow's buffers."""

from __future__ import annotations

import contextlib
import functools
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.protocol import Array, Outputs
from tfgraft.plugins.shape_rule import allocate_empty, shape_rule
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
def _maker() -> _Maker:
    return _Maker()


class _Ready:
    """An interpreter that is ready for one set of input shapes; one call uses it at a time.

    If it is told to `try_fewer`, and the model is small, it gives way to one of a single thread for some calls, and
    then to the quicker one.

    Attributes:
        shapes: those of the engine's inputs.
        inputs: the index of each input of the model, and which of the engine's it is.
        outputs: the index of each output.
        set, invoke, get: the interpreter's functions; `get` takes the number of the subgraph too, which is 0.
        views: make a view of each output, which must not outlive the call; ValueError if it has no elements.
    """

    def __init__(self, make: Callable[[int], Any], threads: int, order: Sequence[int], shapes: Shapes) -> None:
        """`make` makes an interpreter of so many threads."""
        interpreter = make(threads)
        details = interpreter.get_input_details()
        self.shapes = shapes
        self.inputs = [(detail["index"], i) for detail, i in zip(details, order, strict=True)]
        self.outputs = [detail["index"] for detail in interpreter.get_output_details()]
        self._use(interpreter)
        self.invoke = self._run
        self._make, self._threads = make, threads
        self._times: list[float] = []
        self._several: tuple[Any, float] | None = None

    def _use(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self.views = [interpreter.tensor(index) for index in self.outputs]
        self.set, self._run, self.get = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor
        raw: Any = getattr(interpreter, "_interpreter", None)
        if all(hasattr(raw, name) for name in ("SetTensor", "Invoke", "GetTensor", "tensor")):
            # The public wrappers' frames, and their look at who holds views, cost as much as a small model's layer.
            self.set, self._run, self.get = raw.SetTensor, raw.Invoke, raw.GetTensor
            self.views = [functools.partial(raw.tensor, raw, index) for index in self.outputs]

    def try_fewer(self) -> None:
        """Find out, in the calls to come, whether a single thread is quicker."""
        if self._threads > 1:
            self.invoke = self._try

    def _try(self) -> None:
        """Stand in for `invoke` until it is known how many threads are the quickest."""
        start = time.perf_counter()
        self._run()
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
        self.invoke, self._several = self._run, None

    def _replace(self, interpreter: Any) -> None:
        """Use another interpreter, which does what this one has just done."""
        for index, _ in self.inputs:
            interpreter.set_tensor(index, self._interpreter.get_tensor(index))
        interpreter.invoke()
        self._use(interpreter)

    def empty(self, i: int) -> Array:
        """Return an output that has no elements: LiteRT makes no array of it."""
        detail = self._interpreter.get_output_details()[i]
        return np.empty(tuple(map(int, detail["shape"])), detail["dtype"])

    def results(self) -> list[Array]:
        """Return copies of the outputs, some of which have no elements."""
        copies = []
        for i, view in enumerate(self.views):
            try:
                copies.append(view().copy())
            except ValueError:
                copies.append(self.empty(i))
        return copies


class _Empty:
    """The `Outputs` of a call without elements: arrays in the order in which they are allocated."""

    def __init__(self, types: Sequence[np.dtype[Any]]) -> None:
        self._types = types
        self.arrays: list[Array] = []

    def allocate(self, i: int, shape: Sequence[int]) -> Array:
        self.arrays.append(np.empty(tuple(shape), self._types[i]))
        return self.arrays[-1]


class _Pool:
    """Interpreters that no call uses; each change of `idle` is one step of Python's interpreter, so it has no lock."""

    def __init__(self, make: Callable[[Shapes], _Ready], maximum: int) -> None:
        self.idle: list[_Ready] = []
        self._make, self._maximum = make, maximum

    def take(self, inputs: Sequence[Array]) -> _Ready | None:
        """Return an interpreter for inputs of these shapes; None if one of them is empty, for which there is none."""
        shapes = tuple([array.shape for array in inputs])
        idle = self.idle
        try:
            ready = idle.pop()  # that of the last call, mostly
        except IndexError:
            return self._find(shapes)
        if ready.shapes == shapes:
            return ready
        idle.append(ready)
        return self._find(shapes)

    def put(self, ready: _Ready) -> None:
        """Take an interpreter back, and drop those that were not used for longest if there are too many."""
        idle = self.idle
        idle.append(ready)
        if len(idle) > self._maximum:
            del idle[: -self._maximum]

    def _find(self, shapes: Shapes) -> _Ready | None:
        for ready in reversed(list(self.idle)):
            if ready.shapes == shapes:
                with contextlib.suppress(ValueError):  # another call was quicker
                    self.idle.remove(ready)
                    return ready
        return self._make(shapes) if all(0 not in shape for shape in shapes) else None


class LiteRtExecutor:
    """Runs a model; thread-safe: each call takes an interpreter from a pool.

    An interpreter is made ready for the shapes of its inputs once, so a pool has several where shapes change or calls
    come at the same time; those that were not used for longest are dropped. Calls in TensorFlow and without it have
    pools of their own: in TensorFlow several threads may be slower than one, since they sleep while its threads hand a
    call over, and a small model is done before they wake. Inputs and outputs are copied, since LiteRT plans its own
    memory.
    """

    def __init__(
        self,
        model: bytes,
        order: Sequence[int],
        inputs: Sequence[TensorInfo],
        outputs: Sequence[TensorInfo],
        threads: int,
        maximum: int,
    ) -> None:
        """Make an interpreter, if the shapes are known.

        Args:
            model: the LiteRT model.
            order: which of the engine's inputs each of the model's is.
            inputs: types and shapes of the engine's inputs.
            outputs: the same of the outputs.
            threads: of an interpreter, at most.
            maximum: bounds each pool.
        """
        first: list[_Ready] = []
        """Made at once where there is but one set of shapes, so that who loads the engine sees that it can be."""

        def make(shapes: Shapes) -> _Ready:
            with contextlib.suppress(IndexError):
                return first.pop()
            return _Ready(lambda count: _maker().make(model, count, order, shapes), threads, order, shapes)

        def make_within(shapes: Shapes) -> _Ready:
            ready = make(shapes)
            ready.try_fewer()
            return ready

        self._rule = shape_rule(inputs, outputs)
        self._types = [np.dtype(info.dtype) for info in outputs]
        self._maximum = maximum
        self._within, self._alone = _Pool(make_within, maximum), _Pool(make, maximum)
        if all(info.is_static for info in inputs):
            first.append(make(tuple(info.shape or () for info in inputs)))

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """See `tfgraft.plugins.protocol.Executor`.

        Raises:
            EmptyInput: an input is empty and an output is not.
        """
        # As few frames as can be: on a thread that TensorFlow has just woken each costs microseconds.
        ready = self._within.take(inputs)
        if ready is None:
            allocate_empty(self._rule, inputs, outputs)
            return
        for index, i in ready.inputs:
            ready.set(index, inputs[i])
        ready.invoke()
        for i, view in enumerate(ready.views):
            try:
                result = view()
            except ValueError:
                result = ready.empty(i)
            outputs.allocate(i, result.shape)[...] = result
        self._within.put(ready)

    def compute(self, inputs: Sequence[Array]) -> list[Array]:
        """See `tfgraft.plugins.protocol.HasCompute`; raises what `run` does."""
        # What the pool does for the interpreter that was used last, mostly the right one, without its frames.
        idle = self._alone.idle
        ready: _Ready | None
        try:
            ready = idle.pop()
        except IndexError:
            ready = self._alone.take(inputs)
        else:
            for i, shape in enumerate(ready.shapes):
                if inputs[i].shape != shape:
                    idle.append(ready)
                    ready = self._alone.take(inputs)
                    break
        if ready is None:
            empty = _Empty(self._types)
            allocate_empty(self._rule, inputs, empty)
            return empty.arrays
        for index, i in ready.inputs:
            ready.set(index, inputs[i])
        ready.invoke()
        try:
            results = [ready.get(index, 0) for index in ready.outputs]
        except ValueError:
            results = ready.results()
        idle.append(ready)
        if len(idle) > self._maximum:
            del idle[: -self._maximum]
        return results
