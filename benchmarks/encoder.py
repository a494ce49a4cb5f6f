"""Transformer encoders through ONNX Runtime inside TensorFlow against TensorFlow, in FP32, two threads each.

    python -m benchmarks.encoder [--only NAME ...] [--batch N ...] [--repeats N] [--seconds S]

Both run in turn in one process. A row gives the median of each in milliseconds, the median over rounds of how many
times as fast the grafted graph is, in each repeat, and the relative L2 error of its output against TensorFlow's.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import numpy as np

from benchmarks.encoders import ENCODERS, Encoder, Size
from benchmarks.precision.models import keras_model, values
from benchmarks.precision.runs import in_turn, ratio, runner

THREADS, POSITIONS = 2, 128
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


def measure(name: str, batch: int, repeats: int, seconds: float) -> str:
    """Return the row of one encoder at one batch."""
    import tfgraft

    loaded, arrays = _loaded(name, batch)
    by_shape = {array.ndim: array for array in arrays}
    feed = {spec.name: by_shape[len(spec.shape)] for spec in loaded.inputs}
    grafted = tfgraft.optimize(loaded, intra_op_threads=THREADS, strict=True)
    runs = {
        "TensorFlow": runner(loaded.graph_def, loaded, THREADS),
        "tfgraft": runner(grafted.graph_def, loaded, THREADS),
    }
    want, got = (np.asarray(run(feed)[0], np.float64) for run in runs.values())
    error = np.linalg.norm(got - want) / np.linalg.norm(want)
    rounds = [in_turn(runs, feed, seconds) for _ in range(repeats)]
    middle = {key: statistics.median(t for times in rounds for t in times[key]) for key in runs}
    ratios = ", ".join(f"{ratio(times, 'TensorFlow', 'tfgraft'):.2f}" for times in rounds)
    return f"| {name} | {batch} | {middle['TensorFlow']:.1f} | {middle['tfgraft']:.1f} | {ratios} | {error:.1e} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*_SEEN, *ENCODERS], default=[*_SEEN, *ENCODERS], metavar="NAME")
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each repeat")
    args = parser.parse_args()
    print("| encoder | batch | TensorFlow ms | tfgraft ms | times as fast | error |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in args.only:
        for batch in args.batch:
            print(measure(name, batch, args.repeats, args.seconds), flush=True)


if __name__ == "__main__":
    main()
