"""What one call of the engine op costs, next to `tf.numpy_function` and `tf.identity`, in interleaved runs.

    python benchmarks/engine_op.py [--rounds 150] [--calls 20]

Each column is one function with one op in it on a float32 tensor, called through its ConcreteFunction. "adds" is the
median over the rounds of the difference to `tf.identity` in the same round; a round is the median of some calls.
`tf.numpy_function` gets the cheapest function there is. It gets faster once an engine op has run, because both run
Python on the same threads of TensorFlow and tfgraft keeps Python's state of these; so it is also measured before.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

import tfgraft.runtime
from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.protocol import (
    Array,
    BuildContext,
    BuiltEngine,
    Cluster,
    Device,
    Executor,
    Outputs,
    fingerprint,
)
from tfgraft.plugins.staging import HostStage, Staging
from tfgraft.registry.support import SUPPORTED, Support

ALONE = "tf.numpy_function, before"


class Copy:
    """An executor that copies its input: as little engine as there can be, on buffers of its own as small ones are."""

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """Copy input 0 to output 0."""
        x = inputs[0]
        outputs.allocate(0, x.shape)[...] = x
        if isinstance(outputs, Staging):
            own = np.empty_like(x)
            place = [(own.ctypes.data, own.nbytes)]
            outputs.stage(own, HostStage(bool, ()), place, place)


@dataclass(frozen=True)
class CopyBuilder:
    """The builder of `Copy`."""

    name: str = "copy"
    converters: tuple[str, ...] = ()

    def available(self) -> Support:
        """Always."""
        return SUPPORTED

    def check_options(self, options: Mapping[str, Any]) -> None:
        """It has no options."""

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """It builds nothing."""
        raise NotImplementedError

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Executor:
        """Return the executor."""
        return Copy()


def engine_function(size: int) -> Any:
    """Return a ConcreteFunction whose body is one engine node, as an optimized graph is run."""
    info = TensorInfo("float32", (-1, size))
    built = BuiltEngine("copy", b"", (info,), (info,))

    @tf.function(input_signature=[tf.TensorSpec((None, size))])  # type: ignore[untyped-decorator]
    def segment(x: Any) -> Any:
        return tf.identity(x)

    concrete = segment.get_concrete_function()
    concrete.add_to_graph()
    graph_def = graph_pb2.GraphDef()
    graph_def.versions.producer = tf.version.GRAPH_DEF_VERSION
    graph_def.library.function.append(concrete.function_def)
    placeholder = graph_def.node.add(name="x", op="Placeholder")
    placeholder.attr["dtype"].type = 1
    placeholder.attr["shape"].shape.unknown_rank = True
    graph_def.node.append(
        tfgraft.runtime.engine_node_def(
            "engine", built, inputs=["x"], segment=concrete.name.decode(), fingerprint=fingerprint(built, ())
        )
    )

    @tf.function(input_signature=[tf.TensorSpec((None, size))])  # type: ignore[untyped-decorator]
    def call(x: Any) -> Any:
        return tf.graph_util.import_graph_def(graph_def, {"x": x}, ["engine:0"])[0]

    return call.get_concrete_function()


def native_function(op: Callable[[Any], Any], size: int) -> Any:
    """Return a ConcreteFunction whose body is one call of `op`."""
    return tf.function(op, input_signature=[tf.TensorSpec((None, size))]).get_concrete_function()


def through_numpy(x: Any) -> Any:
    """Return x by way of a Python function that returns its argument."""
    return tf.numpy_function(lambda a: a, [x], tf.float32)


def measure(functions: Mapping[str, Any], x: Any, rounds: int, calls: int) -> dict[str, list[float]]:
    """Return microseconds a call for each function and round."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for i in range(rounds + 2):
        for name, function in functions.items():
            run = function._call_flat
            samples = []
            for _ in range(calls + 2):
                start = time.perf_counter()
                run([x], [])
                samples.append((time.perf_counter() - start) * 1e6)
            if i > 1:
                times[name].append(statistics.median(samples[2:]))
    return times


def show(floats: int, times: Mapping[str, Sequence[float]], reference: str) -> None:
    """Print the medians, what each op adds to `tf.identity`, and its share of what `reference` adds."""
    base = times["tf.identity"]
    adds = {n: statistics.median(t - b for t, b in zip(ts, base, strict=True)) for n, ts in times.items()}
    for name, values in times.items():
        share = f"{adds[name] / adds[reference]:.2f}" if name != "tf.identity" else ""
        print(f"{floats:>8} {name:<32} {statistics.median(values):>10.1f} {adds[name]:>8.1f} {share:>18}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--calls", type=int, default=20)
    args = parser.parse_args()
    tfgraft.runtime.register_engine(CopyBuilder())
    print(f"{'floats':>8} {'op':<32} {'us a call':>10} {'adds us':>8} {'of numpy_function':>18}")
    sizes = ((1, 8), (8, 1024))
    for rows, size in sizes:
        alone = {"tf.identity": native_function(tf.identity, size), ALONE: native_function(through_numpy, size)}
        show(rows * size, measure(alone, tf.ones((rows, size)), args.rounds, args.calls), ALONE)
    for rows, size in sizes:
        functions = {
            "tf.identity": native_function(tf.identity, size),
            "tf.numpy_function": native_function(through_numpy, size),
            "engine op": engine_function(size),
        }
        show(rows * size, measure(functions, tf.ones((rows, size)), args.rounds, args.calls), "tf.numpy_function")
    fallbacks = tfgraft.runtime.counters().fallbacks
    print(f"engine calls {tfgraft.runtime.counters().calls}, of which fell back {fallbacks}")


if __name__ == "__main__":
    main()
