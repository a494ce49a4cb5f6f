"""collect: run a graph over data once, and note what is needed of some of its tensors.

TensorFlow itself computes the exact extremes, and picks a sample of the elements for the histogram: what comes out of
it is small, whatever the size of the tensors.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from tfgraft.calibration.observable import observable
from tfgraft.calibration.statistics import Statistics
from tfgraft.calibration.table import CalibrationTable
from tfgraft.calibration.watch import Array, Feed, Work
from tfgraft.errors import FeedError, listing
from tfgraft.load.model import NamedTensor, Resource

_BYTES = 64 * 2**20
_FEEDS = 256
_WORKERS = 4
"""How many workers an executor is taken to have that does not tell."""


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
        inputs: what may be fed; those with a default need not be.
        resources: what the graph needs besides.
        tensors: names of the tensors to observe; floats. Those that cannot be fetched, because they are inside of
            TensorFlow 1 control flow or need a placeholder that is not fed, are left out, and the table says why.
        feeds: arrays by tensor name. They are run once, in order, one after the other.
        progress: called as `progress("calibrate", done, total)`; the total is 0 where it is not known.
        executor: runs chunks of the feeds, in threads, processes or on other machines; None for here. The result is
            the same whatever the order in which chunks are done. Each chunk takes the graph along, and time to set it
            up, so sharding pays for many feeds.

    Raises:
        CalibrationError: a tensor is not there, or is no float.
        FeedError: TensorFlow cannot run the graph on a feed, or a model with resources is to run in other processes.
    """
    fed = [*(spec.name for spec in inputs), *(resource.name for resource in resources)]
    wanted, skipped = observable(graph_def, fed, tensors)
    work = Work(graph_def, tuple(inputs), wanted)
    total = operator.length_hint(feeds)

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
        table = _sharded(work, feeds, total, executor, told)
    return CalibrationTable(table.tensors, table.samples, skipped)


def _here(
    work: Work,
    resources: Sequence[Resource],
    feeds: Iterable[Feed],
    told: Callable[[CalibrationTable], None],
    first: int = 0,
) -> CalibrationTable:
    found: dict[str, Statistics] = {}
    count = 0
    for count, seen in enumerate(_seen(work, resources, feeds, first), 1):
        for name, more in seen:
            found[name] = found[name].merged(more) if name in found else more
        told(CalibrationTable(found, count))
    return CalibrationTable(found, count)


def _seen(
    work: Work, resources: Sequence[Resource], feeds: Iterable[Feed], first: int
) -> Iterator[Iterator[tuple[str, Statistics]]]:
    """Yield the statistics of each feed; TensorFlow runs the next one in the meantime."""
    watch = work.watch(resources)
    with ThreadPoolExecutor(1, "calibrate") as thread:
        running: Future[list[Array]] | None = None
        for i, feed in enumerate(feeds, first):
            following = thread.submit(watch, feed, i)
            if running is not None:
                yield work.statistics(running.result())
            running = following
        if running is not None:
            yield work.statistics(running.result())


def _shard(work: Work, first: int, feeds: Sequence[Feed]) -> CalibrationTable:
    """Run one chunk of the feeds, in a worker."""
    return _here(work, (), feeds, lambda table: None, first)


def _sharded(
    work: Work, feeds: Iterable[Feed], total: int, executor: Executor, told: Callable[[CalibrationTable], None]
) -> CalibrationTable:
    """Run chunks in workers; as many are under way as keep them busy, so that memory stays bounded."""
    workers = getattr(executor, "_max_workers", 0) or _WORKERS
    waiting: deque[Future[CalibrationTable]] = deque()
    table = CalibrationTable()
    try:
        for first, chunk in _chunks(feeds, most=-(-total // workers) or _FEEDS):
            waiting.append(executor.submit(_shard, work, first, chunk))
            if len(waiting) >= 2 * workers:
                table = table.merge(waiting.popleft().result())
                told(table)
        while waiting:
            table = table.merge(waiting.popleft().result())
            told(table)
    finally:
        for future in waiting:  # what is left of them after an error
            future.cancel()
    return table


def _chunks(feeds: Iterable[Feed], most: int) -> Iterator[tuple[int, list[Feed]]]:
    """Yield chunks of feeds, each with the number of its first feed.

    Args:
        feeds: the feeds.
        most: how many a chunk may have; it has no more than `_FEEDS` either, nor much more than `_BYTES`.
    """
    first, size = 0, 0
    chunk: list[Feed] = []
    for feed in feeds:
        chunk.append(feed)
        size += sum(array.nbytes for array in feed.values())
        if len(chunk) >= min(most, _FEEDS) or size >= _BYTES:
            yield first, chunk
            first, size, chunk = first + len(chunk), 0, []
    if chunk:
        yield first, chunk
