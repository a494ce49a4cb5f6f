"""Comparing a grafted model with the original: time in interleaved runs, and the difference of the outputs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgraft.distance import relative_error, unequal
from tfgraft.errors import FeedError
from tfgraft.feeds import match_feeds, synthetic_feeds
from tfgraft.function import make_function, uses_engines
from tfgraft.grafted import Grafted
from tfgraft.load.frozen import first_line
from tfgraft.load.model import LoadedModel, NamedTensor
from tfgraft.session import session_callable

Array = NDArray[Any]
TOLERANCE = 1e-4
"""The relative L2 error up to which floating point outputs agree."""
_WARM_UPS = 3
_LEAST_RUNS = 3


@dataclass(frozen=True)
class OutputError:
    """How far one output of the grafted model is from the original's.

    Args:
        name: the tensor.
        dtype: TensorFlow's short name of its type.
        error: for floats the relative L2 error |grafted - original| / |original|; else the share of unequal values.
            Infinite if shapes differ, or if one has NaN where the other has none.
        agrees: whether a float is within the tolerance, and anything else equal.
    """

    name: str
    dtype: str
    error: float
    agrees: bool


@dataclass(frozen=True)
class BenchResult:
    """What a comparison found.

    Args:
        original_ms: median milliseconds of one call of the original.
        grafted_ms: the same of the grafted model.
        runs: how often each was timed.
        threads: threads that TensorFlow was told to use; 0 for its own choice.
        outputs: the difference of each output.
        original_all_ms, grafted_all_ms: every time, in the order of the runs.
    """

    original_ms: float
    grafted_ms: float
    runs: int
    threads: int
    outputs: tuple[OutputError, ...]
    original_all_ms: tuple[float, ...] = ()
    grafted_all_ms: tuple[float, ...] = ()

    @property
    def ratio(self) -> float:
        """How many times faster the grafted model is."""
        return self.original_ms / self.grafted_ms

    @property
    def agrees(self) -> bool:
        """Whether every output agrees."""
        return all(o.agrees for o in self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; an infinite error as None."""
        data = asdict(self)
        for output in data["outputs"]:
            output["error"] = output["error"] if np.isfinite(output["error"]) else None
        return {**data, "ratio": self.ratio, "agrees": self.agrees}

    def __str__(self) -> str:
        lines = [
            f"original  {self.original_ms:10.3f} ms",
            f"grafted   {self.grafted_ms:10.3f} ms   {self.ratio:.2f} times as fast ({self.runs} runs each, medians)",
        ]
        for o in self.outputs:
            verdict = "" if o.agrees else "   DIFFERS"
            what = "relative error" if _is_float(o.dtype) else "unequal"
            lines.append(f"  {o.name} {o.dtype}: {what} {o.error:.2g}{verdict}")
        return "\n".join(lines)


def compare(
    model: LoadedModel,
    grafted: Grafted,
    feeds: Mapping[str, Any] | None = None,
    *,
    runs: int = 50,
    seconds: float = 20.0,
    threads: int = 0,
    tolerance: float = TOLERANCE,
    progress: Callable[[str, int, int], None] | None = None,
) -> BenchResult:
    """Run the original and the grafted model in turn, in this process.

    Both are called in the same way: through a session's prepared call, which has the least overhead of TensorFlow's
    ways; or, if the model needs lookup tables, through a function.

    Args:
        model: the original, as loaded.
        grafted: the model made from it.
        feeds: arrays by input name; default `synthetic_feeds`.
        runs: how often each is timed.
        seconds: stop after this time, but not before 3 runs of each.
        threads: TensorFlow's intra-op threads; 0 for its own choice. TensorFlow makes its thread pool once in a
            process, so it must be set before anything ran.
        tolerance: the relative L2 error up to which floats agree.
        progress: called as `progress("runs", done, runs)`.

    Raises:
        FeedError: the feeds do not fit, or the original cannot run on them.
    """
    if runs < 1:
        raise FeedError(f"The number of runs must be at least 1, not {runs}.")
    fed, values = match_feeds(model, synthetic_feeds(model) if feeds is None else feeds)
    first = caller(model.graph_def, model, fed, threads)
    expected = _first_run(first, values, feeds is None)
    second = caller(grafted.graph_def, model, fed, threads)
    got = second(values)
    for _ in range(_WARM_UPS - 1):
        first(values)
        second(values)
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    for i in range(runs):
        # The order alternates, so that neither side always runs on the caches that the other has left.
        for side in (0, 1) if i % 2 == 0 else (1, 0):
            start = time.perf_counter()
            (first, second)[side](values)
            times[side].append((time.perf_counter() - start) * 1e3)
        if progress:
            progress("runs", i + 1, runs)
        if i + 1 >= _LEAST_RUNS and time.perf_counter() > end:
            break
    return BenchResult(
        statistics.median(times[0]),
        statistics.median(times[1]),
        len(times[0]),
        threads,
        compare_outputs([(o.name, o.dtype) for o in model.outputs], expected, got, tolerance),
        tuple(times[0]),
        tuple(times[1]),
    )


def compare_outputs(
    names: Sequence[tuple[str, str]], expected: Sequence[Array], got: Sequence[Array], tolerance: float = TOLERANCE
) -> tuple[OutputError, ...]:
    """Compare arrays; `names` are (tensor name, dtype)."""
    errors = []
    for (name, dtype), a, b in zip(names, expected, got, strict=True):
        error = relative_error(a, b) if _is_float(dtype) else unequal(a, b)
        errors.append(OutputError(name, dtype, error, error <= (tolerance if _is_float(dtype) else 0.0)))
    return tuple(errors)


def _is_float(dtype: str) -> bool:
    return "float" in dtype or dtype.startswith("complex")


def _first_run(call: Callable[[Sequence[Array]], list[Array]], values: Sequence[Array], made_up: bool) -> list[Array]:
    try:
        return call(values)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        shapes = ", ".join(str(list(v.shape)) for v in values)
        kind = "made-up values" if made_up else "the values given"
        raise FeedError(
            f"TensorFlow cannot run the original model on {kind} of shapes {shapes}: {first_line(error)}",
            "Give real ones with --input feeds.npz (feeds=)." if made_up else "",
        ) from error


_Call = Callable[[Sequence[Array]], list[Array]]


def caller(graph_def: Any, model: LoadedModel, fed: Sequence[NamedTensor], threads: int) -> _Call:
    if model.is_self_contained:
        return _session_caller(graph_def, model, fed, threads)
    return _function_caller(graph_def, model, fed)


def _session_caller(graph_def: Any, model: LoadedModel, fed: Sequence[NamedTensor], threads: int) -> _Call:
    if uses_engines(graph_def):
        import tfgraft.runtime  # noqa: F401  (registers the op)
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
    call = session_callable(graph, (spec.name for spec in fed), model.output_names, threads)

    def run(values: Sequence[Array]) -> list[Array]:
        return [np.asarray(v) for v in call(*values)]

    return run


def _function_caller(graph_def: Any, model: LoadedModel, fed: Sequence[NamedTensor]) -> _Call:
    function = make_function(graph_def, fed, model.outputs, model.resources)

    def run(values: Sequence[Array]) -> list[Array]:
        tensors = [tf.constant(v, dtype=spec.dtype) for v, spec in zip(values, fed, strict=True)]
        return [t.numpy() for t in function._call_flat(tensors, function.captured_inputs)]

    return run


def set_threads(threads: int) -> None:
    """Tell TensorFlow, before anything ran in this process, how many threads one op may use.

    Raises:
        FeedError: something ran already with another number.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError as error:
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            raise FeedError("TensorFlow has started its threads already.", "Set threads in a new process.") from error
