"""A program of TensorFlow 1, in which nothing is eager: the flow works from end to end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
from tests.compat.models import close, frozen_graph, images, run, saved_model_v1
from tfgraft.compat import tensorrt as trt

folder = sys.argv[1]
x = images(4)
native = run(frozen_graph(), x)
for mode in ("FP16", "INT8"):
    graph = trt.create_inference_graph(frozen_graph(), ["output/Softmax"], 4, precision_mode=mode, engine="onnxruntime")
    if mode == "INT8":
        run(graph, x)
        graph = trt.calib_graph_to_infer_graph(graph)
    close(mode, run(graph, x), native)

source, target = folder + "/source", folder + "/target"
saved_model_v1(source)
graph = trt.create_inference_graph(
    None, None, input_saved_model_dir=source, output_saved_model_dir=target, engine="onnxruntime"
)
close("FP32", run(graph, x), native)
with tf.Graph().as_default(), tf.Session() as session:
    signature = tf.saved_model.loader.load(session, ["serve"], target).signature_def["serving_default"]
    close("FP32", session.run(signature.outputs["y"].name, {signature.inputs["x"].name: x}), native)
print("done", tf.executing_eagerly())
"""


def test_it_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.stdout == "done False\n", done.stderr[-2000:]
