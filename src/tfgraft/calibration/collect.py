"""collect: run a graph over data once, and note what is needed of some of its tensors.

TensorFlow itself computes the exact extremes, and picks a sample of the elements for the histogram: what comes out of
it is small, whatever the size of the tensors.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgraft.calibration.histogram import Histogram
from tfgraft.calibration.statistics import Statistics
from tfgraft.calibration.table import CalibrationTable
from tfgraft.errors import FeedError, listing
from tfgraft.function import call_unoptimized, import_graph
from tfgraft.graph.graphdef import from_graph_def, node_from_def
from tfgraft.graph.opdefs import OpDefs
from tfgraft.load.model import NamedTensor, Resource
from tfgraft.load.rename import with_own_functions
from tfgraft.passes.contexts import contexts
from tfgraft.passes.tag_support import FRAME_OPS

Array = NDArray[Any]
Feed = Mapping[str, Array]
SAMPLE = 8192
"""How many elements of a tensor go into its histogram in each feed."""
_CHUNK = 16
"""Feeds that go to a worker at once."""
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_Watch = Callable[[Feed, int], Iterator[tuple[str, Statistics]]]


def collect(
    graph_def: Any,
    inputs: Sequence[NamedTensor],
    resources: Sequence[Resource],
    tensors: Sequence[str],
    feeds: Iterable[Feed],
    *,
    progress: Callable[[str, int, int], None] | None = None,
    executor: Executor | None = None,
) -> CalibrationTable:
    """Run a graph over feeds and return what was observed.

    Args:
        graph_def: the graph, with no engines in it.
        inputs: what is fed.
        resources: what the graph needs besides.
        tensors: names of the tensors to observe; floats. Those inside of TensorFlow 1 control flow cannot be fetched;
            they are left out, and the table says so.
        feeds: arrays by tensor name. They are run once, in order, one after the other.
        progress: called as `progress("calibrate", done, total)`; the total is 0 where it is not known.
        executor: runs chunks of the feeds, in threads, processes or on other machines; None for here. The result is
            the same whatever the order in which chunks are done.

    Raises:
        FeedError: TensorFlow cannot run the graph on a feed, or a model with resources is to run in other processes.
        ValueError: a tensor is no float.
    """
    wanted, skipped = _observable(graph_def, tensors)
    work = _Work(graph_def, tuple(inputs), tuple(wanted))
    total = len(feeds) if isinstance(feeds, Sized) else 0

    def told(table: CalibrationTable) -> None:
        if progress is not None:
            progress("calibrate", table.samples, total)

    if executor is None:
        table = _here(work, resources, feeds, told)
    else:
        if resources:
            raise FeedError(
                f"The model has resources ({listing(r.name for r in resources)}), which belong to this process.",
                "Calibrate without an executor.",
            )
        table = _sharded(work, feeds, executor, told)
    return CalibrationTable(table.tensors, table.samples, skipped)


def _observable(graph_def: Any, tensors: Sequence[str]) -> tuple[list[NamedTensor], dict[str, str]]:
    """Return the tensors that can be fetched, with their types, and why others cannot."""
    nodes = {node.name: node for node in graph_def.node}
    opdefs = OpDefs({function.signature.name: function for function in graph_def.library.function})
    inside = _inside_control_flow(graph_def)
    wanted, skipped = [], {}
    for name in dict.fromkeys(tensors):
        node, _, port = name.rpartition(":")
        types = opdefs.output_types(node_from_def(nodes[node])) or ()
        dtype = types[int(port)] if int(port) < len(types) else "invalid"
        if dtype not in _FLOATS:
            raise ValueError(f"tensor {name!r} is {dtype}; only floats can be calibrated")
        if node in inside:
            skipped[name] = "It is in a branch or loop of TensorFlow 1, from which nothing can be fetched."
        else:
            wanted.append(NamedTensor(name, dtype))
    return wanted, skipped


def _inside_control_flow(graph_def: Any) -> Collection[str]:
    if not any(node.op in FRAME_OPS for node in graph_def.node):
        return ()
    graph = from_graph_def(graph_def)
    return contexts(graph, graph.topological())


@dataclass(frozen=True)
class _Work:
    """What a worker needs; it can be pickled."""

    graph_def: Any = field(repr=False)
    inputs: tuple[NamedTensor, ...]
    tensors: tuple[NamedTensor, ...]

    def watch(self, resources: Sequence[Resource] = ()) -> _Watch:
        """Return a function that runs one feed, the `i`-th, and yields the statistics of each tensor."""
        graph_def = with_own_functions(self.graph_def)
        observed = self._function(graph_def, resources, _observe)
        cleaned: list[Any] = []

        def run(feed: Feed, i: int) -> Iterator[tuple[str, Statistics]]:
            values = [tf.constant(i), *(tf.constant(feed[spec.name], spec.dtype) for spec in self.inputs)]
            parts = _call(observed, values, i)
            if not all(np.isfinite(part).all() for part in parts[::3]):  # few models ever need the second run
                if not cleaned:
                    cleaned.append(self._function(graph_def, resources, _observe_finite))
                parts = _call(cleaned[0], values, i)
            for k, spec in enumerate(self.tensors):
                yield spec.name, _statistics(*parts[3 * k : 3 * k + 3])

        return run

    def _function(self, graph_def: Any, resources: Sequence[Resource], observe: Callable[[Any, Any], Any]) -> Any:
        def call(i: Any, *values: Any) -> list[Any]:
            results = import_graph(graph_def, self.inputs, values, self.tensors, resources)
            return [part for result in results for part in observe(result, i)]

        specs = [tf.TensorSpec(None, spec.dtype) for spec in self.inputs]
        return tf.compat.v1.wrap_function(call, [tf.TensorSpec((), tf.int32), *specs])


def _call(function: Any, values: Sequence[Any], i: int) -> list[Array]:
    try:
        return call_unoptimized(function, values)
    except (tf.errors.OpError, ValueError) as error:
        first = str(error).strip().split("\n", 1)[0]
        raise FeedError(f"TensorFlow cannot run the model on feed {i} of the calibration data: {first}") from error


def _observe(tensor: Any, i: Any) -> tuple[Any, Any, Any]:
    """Return, of one tensor in TensorFlow, [least, largest], [count, 0], and a sample.

    The extremes are not finite if an element is not: TensorFlow's reductions hand NaN on.
    """
    flat = _flat(tensor)
    extremes = tf.stack([tf.reduce_min(flat), tf.reduce_max(flat)])
    return extremes, tf.stack([tf.size(flat, tf.int64), tf.constant(0, tf.int64)]), _sample(flat, i)


def _observe_finite(tensor: Any, i: Any) -> tuple[Any, Any, Any]:
    """Return the same of the elements that are finite, and how many are not."""
    flat = _flat(tensor)
    finite = tf.boolean_mask(flat, tf.math.is_finite(flat))
    extremes = tf.stack([tf.reduce_min(finite), tf.reduce_max(finite)])
    count = tf.size(flat, tf.int64)
    return extremes, tf.stack([count, count - tf.size(finite, tf.int64)]), _sample(flat, i)


def _flat(tensor: Any) -> Any:
    flat = tf.reshape(tensor, [-1])
    return flat if flat.dtype in (tf.float32, tf.float64) else tf.cast(flat, tf.float32)


def _sample(flat: Any, i: Any) -> Any:
    """Take every n-th element; which ones changes from feed to feed, so that all have their turn."""
    stride = tf.maximum(tf.size(flat) // SAMPLE, 1)
    return flat[i % stride :: stride][: 2 * SAMPLE]


def _statistics(extremes: Array, counts: Array, sample: Array) -> Statistics:
    count, invalid = (int(c) for c in counts)
    if count == invalid:
        return Statistics(count, invalid)
    histogram = Histogram.of(sample[np.isfinite(sample)])
    return Statistics(count, invalid, float(extremes[0]), float(extremes[1]), histogram)


def _here(
    work: _Work, resources: Sequence[Resource], feeds: Iterable[Feed], told: Callable[[CalibrationTable], None]
) -> CalibrationTable:
    watch = work.watch(resources)
    found: dict[str, Statistics] = {}
    count = 0
    for i, feed in enumerate(feeds):
        _add(found, watch(feed, i))
        count = i + 1
        told(CalibrationTable(found, count))
    return CalibrationTable(found, count)


def _add(found: dict[str, Statistics], more: Iterable[tuple[str, Statistics]]) -> None:
    for name, seen in more:
        found[name] = found[name].merged(seen) if name in found else seen


def _shard(work: _Work, first: int, feeds: Sequence[Feed]) -> CalibrationTable:
    """Run one chunk of the feeds, in a worker."""
    watch = work.watch()
    found: dict[str, Statistics] = {}
    for i, feed in enumerate(feeds, first):
        _add(found, watch(feed, i))
    return CalibrationTable(found, len(feeds))


def _sharded(
    work: _Work, feeds: Iterable[Feed], executor: Executor, told: Callable[[CalibrationTable], None]
) -> CalibrationTable:
    """Run chunks in workers; as many are under way as keep them busy, so that memory stays bounded."""
    most = 2 * (getattr(executor, "_max_workers", 0) or 4)
    waiting: deque[Future[CalibrationTable]] = deque()
    table = CalibrationTable()
    stream = iter(feeds)
    for first in itertools.count(0, _CHUNK):
        chunk = list(itertools.islice(stream, _CHUNK))
        if chunk:
            waiting.append(executor.submit(_shard, work, first, chunk))
        while waiting and (len(waiting) >= most or not chunk):
            table = table.merge(waiting.popleft().result())
            told(table)
        if not chunk:
            return table
    raise AssertionError("unreachable")
