"""Transformer encoders through an engine inside TensorFlow against TensorFlow, in FP32.

    python -m benchmarks.encoder [--engine NAME] [--provider NAME] [--only NAME ...] [--batch N ...] [--threads N]
                                 [--processor-time]

Both run in turn in one process. A row gives the median of each in milliseconds, the median over rounds of how many
times as fast the grafted graph is, in each repeat, and the relative L2 error of its output against TensorFlow's.

On a machine that others use too, threads wait for each other's processors and wall time says little: `--processor-time`
counts what the process computes, whenever it gets to it. Take it with `--threads 1`, as spinning threads count too.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np

from benchmarks.encoders import ENCODERS, Encoder, Size
from benchmarks.precision.models import keras_model, values
from benchmarks.precision.runs import in_turn, ratio, runner

POSITIONS = 128
_SEEN = ("encoder", "encoder_any_batch")
"""Names of the precision benchmarks' encoder, whose biases are zero as in a net that was never trained."""


def _loaded(name: str, batch: int) -> tuple[Any, list[Any]]:
    """Return a loaded encoder, its batch open but for "encoder", and inputs in order."""
    from tfgraft.load import load

    if name in _SEEN:
        model, shape = keras_model(name, batch)
        return load(model, input_shapes=[shape] if name == "encoder" else None), [values(shape)]
    encoder: Encoder = ENCODERS[name]
    size = Size(positions=None if encoder.open_length else POSITIONS)
    return load(encoder.make(size)), encoder.feeds(batch, POSITIONS, size.width)


def measure(name: str, batch: int, how: argparse.Namespace) -> str:
    """Return the row of one encoder at one batch."""
    import tfgraft

    loaded, arrays = _loaded(name, batch)
    by_rank = {array.ndim: array for array in arrays}
    feed = {spec.name: by_rank[len(spec.shape)] for spec in loaded.inputs}
    options: dict[str, Any] = {"providers": [how.provider]} if how.provider else {}
    grafted = tfgraft.optimize(loaded, engine=how.engine, intra_op_threads=how.threads, strict=True, **options)
    graphs = {"TensorFlow": loaded.graph_def, "tfgraft": grafted.graph_def}
    runs = {key: runner(graph_def, loaded, how.threads) for key, graph_def in graphs.items()}
    want, got = (np.asarray(run(feed)[0], np.float64) for run in runs.values())
    error = np.linalg.norm(got - want) / np.linalg.norm(want)
    clock = time.process_time if how.processor_time else time.perf_counter
    repeats = [in_turn(runs, feed, how.seconds, clock) for _ in range(how.repeats)]
    middle = [statistics.median(t for times in repeats for t in times[key]) for key in runs]
    ratios = ", ".join(f"{ratio(times, *runs):.2f}" for times in repeats)
    return f"| {name} | {batch} | {middle[0]:.1f} | {middle[1]:.1f} | {ratios} | {error:.0e} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="onnxruntime")
    parser.add_argument("--provider", help="of ONNX Runtime, such as OpenVINOExecutionProvider")
    parser.add_argument("--only", nargs="+", choices=[*_SEEN, *ENCODERS], default=[*_SEEN, *ENCODERS], metavar="NAME")
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processor-time", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each repeat")
    how = parser.parse_args()
    print("| encoder | batch | TensorFlow ms | tfgraft ms | times as fast | error |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in how.only:
        for batch in how.batch:
            print(measure(name, batch, how), flush=True)


if __name__ == "__main__":
    main()
