"""Measures the figures of the cost model (`tfgraft.choice.figures`), and prints the table.

    python -m benchmarks.cost_model [--rounds 10] [--engines onnxruntime,xla]

Small graphs (probes) are timed as TensorFlow runs them and as one engine of each kind, in interleaved rounds, of which
the quickest counts: what else the machine does makes nobody quicker. Of a chain of light ops, a short one and a long
one, come what a call and what an op costs; of chains of small convolutions, what a kernel costs more; of a node with
few and one with many inputs, what a tensor costs; of chains of convolutions, products and elementwise ops, how much of
each is done in a second, the other costs taken off. Where there are several probes of a kind the figure is for all
their work together.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import tfgraft
from benchmarks.zoo.stages.timing import time_calls
from tfgraft.bench import caller
from tfgraft.choice.choice import NATIVE
from tfgraft.choice.cost import Work, work_of
from tfgraft.choice.figures import Figures
from tfgraft.errors import TfGraftError
from tfgraft.feeds import synthetic_feeds
from tfgraft.load import load
from tfgraft.load.model import LoadedModel
from tfgraft.passes.base import PassContext
from tfgraft.passes.default import default_pipeline
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.registry.registry import Registry

ENGINES = ("onnxruntime", "openvino", "litert", "xla")
SHORT, LONG = 4, 24
FEW, MANY = 2, 16


@dataclass(frozen=True)
class Probe:
    """A small graph: the shapes of its float32 inputs, and what it computes of them."""

    shapes: Sequence[Sequence[int]]
    body: Callable[..., Any]

    def loaded(self) -> LoadedModel:
        """Return it as a model."""
        graph = tf.Graph()
        with graph.as_default():
            inputs = [tf.compat.v1.placeholder(tf.float32, s, f"x{i}") for i, s in enumerate(self.shapes)]
            tf.identity(self.body(*inputs), name="out")
        return load(graph.as_graph_def(), outputs=["out"])


def _weight(*shape: int) -> Any:
    values = np.random.default_rng(sum(shape)).standard_normal(shape, np.float32)
    return tf.constant(values / np.sqrt(np.prod(shape[:-1])).astype(np.float32))


def light(count: int) -> Probe:
    """A chain of light ops: six each time."""

    def body(x: Any) -> Any:
        for i in range(count):
            x = tf.nn.relu(x * _weight(8) + float(i))
            x = tf.concat([x[:, 1:], x[:, :1]], 1)
        return x

    return Probe([(1, 8)], body)


def wide(count: int) -> Probe:
    """Three ops and many inputs."""
    return Probe([(1, 8)] * count, lambda *xs: tf.nn.relu(tf.concat(xs, 1)) * 2.0)


def small(count: int) -> Probe:
    """A chain of small convolutions, with bias and activation."""

    def body(x: Any) -> Any:
        for _ in range(count):
            y = tf.nn.conv2d(x, _weight(3, 3, 8, 8), 1, "SAME")
            x = tf.nn.relu(tf.nn.bias_add(y, _weight(8)))
        return x

    return Probe([(1, 8, 8, 8)], body)


def convolution(side: int, channels: int, kernel: int) -> Probe:
    """Four convolutions, with bias and activation."""

    def body(x: Any) -> Any:
        for _ in range(4):
            y = tf.nn.conv2d(x, _weight(kernel, kernel, channels, channels), 1, "SAME")
            x = tf.nn.relu(tf.nn.bias_add(y, _weight(channels)))
        return x

    return Probe([(1, side, side, channels)], body)


def depthwise(side: int, channels: int) -> Probe:
    """Four depthwise convolutions, with bias and activation."""

    def body(x: Any) -> Any:
        for _ in range(4):
            y = tf.nn.depthwise_conv2d(x, _weight(3, 3, channels, 1), [1, 1, 1, 1], "SAME")
            x = tf.nn.relu6(tf.nn.bias_add(y, _weight(channels)))
        return x

    return Probe([(1, side, side, channels)], body)


def product(rows: int, width: int) -> Probe:
    """Four dense layers."""

    def body(x: Any) -> Any:
        for _ in range(4):
            x = tf.nn.relu(tf.nn.bias_add(tf.matmul(x, _weight(width, width)), _weight(width)))
        return x

    return Probe([(rows, width)], body)


def elementwise() -> Probe:
    """Elementwise ops on 8 MB."""

    def body(x: Any) -> Any:
        for _ in range(3):
            x = tf.sigmoid(x * _weight(32) + _weight(32)) * x
        return x

    return Probe([(1, 256, 256, 32)], body)


GROUPS: dict[str, Sequence[Probe]] = {
    "convolution": (convolution(56, 64, 3), convolution(28, 256, 1), convolution(14, 256, 3)),
    "depthwise": (depthwise(56, 128), depthwise(14, 512)),
    "product": (product(128, 512),),
    "weights": (product(1, 1536),),
    "elements": (elementwise(),),
}
"""Probes by the figure that they are for."""


def times_of(probe: Probe, engines: Sequence[str], rounds: int) -> dict[str, float]:
    """Return microseconds of a call by contender; engines that do not take the whole probe are left out."""
    loaded = probe.loaded()
    feeds = synthetic_feeds(loaded)
    values = [feeds[spec.name] for spec in loaded.inputs]
    graphs = {NATIVE: loaded.graph_def}
    pipeline = default_pipeline(minimum_segment_size=1, cut_light=False)
    for engine in engines:
        try:
            made = tfgraft.optimize(loaded, engine=engine, pipeline=pipeline, strict=True)
        except (TfGraftError, ValueError) as error:
            print(f"# {engine} left out: {error}")
            continue
        if len(made.report.clusters) == 1:
            graphs[engine] = made.graph_def
    calls = {name: caller(graph_def, loaded, loaded.inputs, 0) for name, graph_def in graphs.items()}
    found = time_calls({name: _on(call, values) for name, call in calls.items()}, rounds=rounds)
    return {name: 1e6 * min(times) for name, times in found.items()}


def _on(call: Callable[[Sequence[Any]], Any], values: Sequence[Any]) -> Callable[[], Sequence[Any]]:
    return lambda: call(values)


def work(probe: Probe) -> Work:
    """Return what the cost model says that a probe has to do."""
    from tfgraft.graph.graphdef import from_graph_def

    graph = from_graph_def(probe.loaded().graph_def)
    InferShapes().run(graph, PassContext(Registry()))
    return work_of(graph, [n for n in graph.topological() if graph.node(n).op not in ("Placeholder", "Identity")])


def measured(engines: Sequence[str], rounds: int) -> dict[str, Figures]:
    """Return the figures of TensorFlow and of the engines that take every probe."""
    short, long, few, many = (times_of(p, engines, rounds) for p in (light(SHORT), light(LONG), wide(FEW), wide(MANY)))
    each = work(light(1)).ops
    bodies = {name: [times_of(p, engines, rounds) for p in probes] for name, probes in GROUPS.items()}
    works = {name: [work(p) for p in probes] for name, probes in GROUPS.items()}
    found: dict[str, Figures] = {}
    thin, thick = (times_of(p, engines, rounds) for p in (small(SHORT), small(LONG)))
    everywhere = [short, long, few, many, thin, thick, *(times for group in bodies.values() for times in group)]
    op_native = (long[NATIVE] - short[NATIVE]) / ((LONG - SHORT) * each)
    for name in (NATIVE, *engines):
        if not all(name in times for times in everywhere):
            print(f"# {name} left out: it does not take every probe")
            continue
        op = max(0.0, (long[name] - short[name]) / ((LONG - SHORT) * each))
        kernel = max(0.0, (thick[name] - thin[name]) / (LONG - SHORT) - op)
        # What TensorFlow takes beside ops (feeds, fetches, its own call) is in both.
        rest = short[NATIVE] - op_native * SHORT * each
        tensor = max(0.0, ((many[name] - many[NATIVE]) - (few[name] - few[NATIVE])) / (MANY - FEW))
        call = 0.0 if name == NATIVE else max(0.0, short[name] - op * SHORT * each - rest - 2 * tensor)
        rates = {kind: _rate(kind, bodies[kind], works[kind], name, (op, kernel), call + rest) for kind in GROUPS}
        found[name] = Figures(call, tensor, op, kernel, **rates)
    return found


def _rate(
    kind: str,
    times: Sequence[Mapping[str, float]],
    works: Sequence[Work],
    name: str,
    each: tuple[float, float],
    rest: float,
) -> float:
    """Return GFLOP/s or GB/s: work in thousands a microsecond is work in 1e9 a second."""
    done = sum(getattr(one, kind) for one in works)
    op, kernel = each
    fixed = [rest + op * one.ops + kernel * one.kernels for one in works]
    micro = sum(max(0.2 * t[name], t[name] - less) for t, less in zip(times, fixed, strict=True))
    return float(1e-3 * done / micro)


def text(figures: Mapping[str, Figures]) -> str:
    """Return the table as it stands in `tfgraft.choice.figures`."""
    lines = ["FIGURES: dict[str, Figures] = {"]
    for name, one in figures.items():
        key = "NATIVE" if name == NATIVE else f'"{name}"'
        lines.append(f"    {key}: Figures({', '.join(f'{getattr(one, f.name):.3g}' for f in fields(one))}),")
    return "\n".join([*lines, "}"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engines", default=",".join(ENGINES), help="names (%(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="interleaved rounds (%(default)s)")
    args = parser.parse_args()
    print(text(measured(args.engines.split(","), args.rounds)))


if __name__ == "__main__":
    main()
