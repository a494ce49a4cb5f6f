"""The code of TF-TRT's announcement (TensorFlow 1.7) with only the import changed, in a Session."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf2
import tensorflow.compat.v1 as tf

import tfgraft.runtime
from tests.compat.models import Array, close, engines, frozen_graph, images, run
from tfgraft.compat import tensorrt as trt

output_node_name = ["output/Softmax"]
batch_size = 8
workspace_size = 1 << 30


def getGraph(precision: str) -> Any:
    return trt.create_inference_graph(
        input_graph_def=frozen_graph(),
        outputs=output_node_name,
        max_batch_size=batch_size,
        max_workspace_size_bytes=workspace_size,
        precision_mode=precision,
    )


def timeGraph(gdef: Any, batch: Array) -> Array:
    """As the announcement's sample runs a graph: imported under a prefix, a dataset in the place of the input."""
    gpu_options = tf.GPUOptions(per_process_gpu_memory_fraction=0.67)
    g = tf.Graph()
    with g.as_default():
        dataset = tf.data.Dataset.from_tensors(tf.constant(batch, dtype=tf.float32)).repeat()
        iterator = tf.data.make_one_shot_iterator(dataset)
        next_element = iterator.get_next()
        out = tf.import_graph_def(graph_def=gdef, input_map={"input": next_element}, return_elements=["output/Softmax"])
        out = out[0].outputs[0]
    with tf.Session(graph=g, config=tf.ConfigProto(gpu_options=gpu_options)) as sess:
        result: Array = sess.run(out)
    return result


@pytest.mark.parametrize("precision", ["FP32", "FP16"])
def test_floats(precision: str) -> None:
    x = images(batch_size)
    trt_graph = getGraph(precision)
    assert len(engines(trt_graph)) == 1
    close(precision, timeGraph(trt_graph, x), run(frozen_graph(), x))


def test_int8() -> None:
    """Create, run on data, convert, run."""
    x = images(batch_size)
    native = run(frozen_graph(), x)
    calibGraph = getGraph("INT8")
    for seed in range(4):
        batch = images(batch_size, seed=10 + seed)
        np.testing.assert_allclose(timeGraph(calibGraph, batch), run(frozen_graph(), batch), rtol=1e-5)
    trt_graph = trt.calib_graph_to_infer_graph(calibGraph)
    assert len(engines(trt_graph)) == 1
    result = timeGraph(trt_graph, x)
    close("INT8", result, native)
    assert np.abs(result - native).max() < 0.02  # far better than that tolerance
    assert not np.array_equal(result, native)  # and yet in INT8
    ops = {n.op for f in trt_graph.library.function for n in f.node_def}
    assert "QuantizeAndDequantizeV2" in ops


def test_engines_run_and_nothing_falls_back() -> None:
    tfgraft.runtime.reset_counters()
    timeGraph(getGraph("FP32"), images(2))
    counters = tfgraft.runtime.counters()
    assert counters.calls >= 1
    assert counters.fallbacks == 0


def test_names_of_inputs_and_outputs_are_kept() -> None:
    graph = trt.create_inference_graph(frozen_graph(), ["logits:0", "output/Softmax", "relu0"], 4)
    names = {node.name for node in graph.node}
    assert {"input", "logits", "output/Softmax", "relu0"} <= names
    x = images(3)
    for name in ("logits:0", "relu0:0", "output/Softmax:0"):
        close("FP32", run(graph, x, name), run(frozen_graph(), x, name))


def test_outputs_may_be_tensors() -> None:
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen_graph(), name="")
        logits = graph.get_tensor_by_name("logits:0")
        converted = trt.create_inference_graph(graph.as_graph_def(), [logits])
    x = images(2)
    close("FP32", run(converted, x, "logits:0"), run(frozen_graph(), x, "logits:0"))
    assert "output/Softmax" not in {node.name for node in converted.node}


def test_an_eager_program_runs_it_too() -> None:
    graph = getGraph("FP32")
    x = images(2)

    def call(image: Any) -> Any:
        return tf.import_graph_def(graph, input_map={"input": image}, return_elements=["output/Softmax:0"])

    function = tf.wrap_function(call, [tf2.TensorSpec([None, 24, 24, 3])])
    close("FP32", function(tf2.constant(x))[0].numpy(), run(frozen_graph(), x))
