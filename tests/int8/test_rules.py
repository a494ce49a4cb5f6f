"""The rules of quantization where several engines are tried on one graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.passes.graft import build, v1
from tfgraft.graph.views import const_source, const_value
from tfgraft.job import Job
from tfgraft.load import load
from tfgraft.plugins.int8_rules import Int8Rules, int8_rules
from tfgraft.plugins.onnxruntime.builder import OnnxRuntimeBuilder
from tfgraft.precision.settings import Precision
from tfgraft.registry.registry import Registry

_KERNEL = np.random.default_rng(0).standard_normal((3, 3, 8, 16)).astype(np.float32)


@dataclass(frozen=True)
class Roomy(OnnxRuntimeBuilder):
    """Wants weights to keep away from the ends of their range."""

    name: ClassVar[str] = "roomy"
    int8: ClassVar[Int8Rules] = Int8Rules(room=2)


def test_the_first_engine_says_where_and_each_how_much_room() -> None:
    own = OnnxRuntimeBuilder()
    shared = int8_rules(own, [Roomy()])
    assert shared.room == 2
    assert shared.quantize_inputs == int8_rules(own).quantize_inputs
    assert int8_rules(own).room == int8_rules(own, [OnnxRuntimeBuilder()]).room == 1
    assert int8_rules(Roomy(), [own]).room == 2


def _net() -> None:
    x = v1.placeholder(tf.float32, [1, 8, 8, 8], name="x")
    y = tf.nn.relu(tf.nn.conv2d(x, _KERNEL, 1, "SAME"))
    tf.identity(tf.nn.relu(tf.nn.conv2d(y, np.ones((1, 1, 16, 4), np.float32), 1, "SAME")), name="out")


def _room(first: str, *others: str) -> float:
    """Return how many times as wide as the kernel its range is, in a graph quantized for some engines."""
    feeds = [{"x:0": np.random.default_rng(i).standard_normal((1, 8, 8, 8)).astype(np.float32)} for i in range(3)]
    loaded = load(build(_net), outputs=["out"])
    pipeline = tfgraft.default_pipeline(build=False, minimum_segment_size=1)
    passes = Precision.of("INT8", feeds, "max").applied(pipeline, loaded)
    graph = Job(loaded, Registry.default(), first, others=others).run(passes).graph
    for node in graph:
        refs = graph.inputs(node.name)
        values = [const_value(source) for ref in refs if (source := const_source(graph, ref))]
        if node.op == "QuantizeAndDequantizeV3" and values and values[0].shape == _KERNEL.shape:
            return float(np.median(values[2] / np.abs(_KERNEL).max((0, 1, 2))))
    raise AssertionError("the kernel was not quantized")


@pytest.mark.parametrize("first", ["onnxruntime", "openvino"])
def test_a_graph_for_several_engines_suits_each(first: str) -> None:
    rooms = {name: int8_rules(Registry.default().engines[name]).room for name in ("onnxruntime", "openvino")}
    (other,) = rooms.keys() - {first}
    assert _room(first, other) == pytest.approx(max(rooms.values()))
    assert _room(first) == pytest.approx(rooms[first])
