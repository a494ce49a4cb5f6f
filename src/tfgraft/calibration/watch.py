"""Work: a graph that runs in TensorFlow with an observer at each of the tensors asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.eager import context

from tfgraft.calibration.histogram import Histogram
from tfgraft.calibration.sample import sample_of
from tfgraft.calibration.statistics import Statistics
from tfgraft.errors import FeedError
from tfgraft.function import import_graph
from tfgraft.load.model import NamedTensor, Resource
from tfgraft.load.rename import with_own_functions
from tfgraft.unoptimized import Unoptimized

Array = NDArray[Any]
Feed = Mapping[str, Array]
Watch = Callable[[Feed, int], list[Array]]


@dataclass(frozen=True)
class Work:
    """What a worker needs; it can be pickled.

    Args:
        graph_def: the graph.
        inputs: what may be fed; what has a default need not be.
        tensors: what to observe.
    """

    graph_def: Any = field(repr=False)
    inputs: tuple[NamedTensor, ...]
    tensors: tuple[NamedTensor, ...]

    def watch(self, resources: Sequence[Resource] = ()) -> Watch:
        """Return a function that runs one feed, the `i`-th, once, and returns what `statistics` reads.

        It runs in any thread, one call at a time, on the device that is the current one here.

        Raises:
            FeedError: (when it is called) TensorFlow cannot run the graph on the feed.
        """
        graph_def = with_own_functions(self.graph_def)
        device = context.context().device_name
        observer = functools.cache(_observer)
        functions: dict[tuple[bool, tuple[str, ...]], Unoptimized] = {}
        careful = False

        def call(feed: Feed, i: int) -> list[Array]:
            fed = [spec for spec in self.inputs if spec.name in feed]
            key = careful, tuple(spec.name for spec in fed)
            if key not in functions:
                observers = {spec.dtype: observer(spec.dtype, careful) for spec in self.tensors}
                functions[key] = self._function(graph_def, fed, resources, observers)
            values = [tf.constant(i), *(tf.constant(feed[spec.name], spec.dtype) for spec in fed)]
            return _call(functions[key], values, i)

        def run(feed: Feed, i: int) -> list[Array]:
            nonlocal careful
            with context.eager_mode(), tf.device(device):
                parts = call(feed, i)
                # A sum is not finite if an element is not, on any device, which cannot be said of extremes and NaN.
                if not careful and not all(np.isfinite(seen[2]) for seen in parts[::3]):
                    careful = True  # where there is one there are more
                    parts = call(feed, i)
            return parts

        return run

    def statistics(self, parts: Sequence[Array]) -> Iterator[tuple[str, Statistics]]:
        """Yield the statistics of each tensor from what one feed gave."""
        for k, spec in enumerate(self.tensors):
            yield spec.name, _statistics(*parts[3 * k : 3 * k + 3])

    def _function(
        self, graph_def: Any, fed: Sequence[NamedTensor], resources: Sequence[Resource], observers: Mapping[str, Any]
    ) -> Unoptimized:
        def call(i: Any, *values: Any) -> list[Any]:
            results = import_graph(graph_def, fed, values, self.tensors, resources)
            seen = (observers[spec.dtype](result, i) for spec, result in zip(self.tensors, results, strict=True))
            return [part for parts in seen for part in parts]

        specs = [tf.TensorSpec(None, spec.dtype) for spec in fed]
        return Unoptimized(call, [tf.TensorSpec((), tf.int32), *specs])


def _call(function: Unoptimized, values: Sequence[Any], i: int) -> list[Array]:
    try:
        return function(values)
    except (tf.errors.OpError, ValueError) as error:
        raise FeedError(
            f"TensorFlow cannot run the model on feed {i} of the calibration data: {_cause(error)}"
        ) from error


def _cause(error: Exception) -> str:
    """Return the line of TensorFlow's message that says what is wrong: the one before the nodes that it names."""
    text = str(error).strip()
    lines = text.partition("\n\t [[")[0].splitlines() or [type(error).__name__]
    return lines[-1] if "\n\t [[" in text else lines[0]


def _observer(dtype: str, careful: bool) -> Any:
    """Return a function of one tensor and the number of the feed.

    It returns [least, largest, sum]; [how many elements there are, how many are not finite]; and a sample of them. If
    it is not careful it takes all for finite, and the sum tells whether they are; if it is, it looks at the finite ones
    alone, and extremes are (inf, -inf) if there is none. One function, called for each tensor, takes far less time to
    put into a graph than its ops for each.
    """

    def observe(tensor: Any, i: Any) -> tuple[Any, Any, Any]:
        flat = tf.reshape(tensor, [-1])
        flat = flat if flat.dtype in (tf.float32, tf.float64) else tf.cast(flat, tf.float32)
        size = tf.size(flat, tf.int64)
        if careful:
            finite = tf.math.is_finite(flat)
            infinity = tf.constant(np.inf, flat.dtype)
            least = tf.reduce_min(tf.where(finite, flat, infinity))
            largest = tf.reduce_max(tf.where(finite, flat, -infinity))
            extremes, invalid = [least, largest, tf.zeros_like(least)], size - tf.math.count_nonzero(finite)
        else:
            extremes, invalid = [tf.reduce_min(flat), tf.reduce_max(flat), tf.reduce_sum(flat)], tf.zeros_like(size)
        return tf.stack(extremes), tf.stack([size, invalid]), sample_of(flat, tf.size(flat), i)

    # Not put in the place of each call: that takes as long as running the model a few times.
    function = tf.function(
        observe,
        input_signature=(tf.TensorSpec(None, dtype), tf.TensorSpec((), tf.int32)),
        autograph=False,
        experimental_attributes={"_noinline": True},
    )
    return function.get_concrete_function()


def _statistics(extremes: Array, counts: Array, sample: Array) -> Statistics:
    count, invalid = (int(c) for c in counts)
    if count == invalid:
        return Statistics(count, invalid)
    histogram = Histogram.of(sample[np.isfinite(sample)] if invalid else sample)
    return Statistics(count, invalid, float(extremes[0]), float(extremes[1]), histogram)
