"""INT8 and FP32 through ONNX Runtime and OpenVINO inside TensorFlow, against TensorFlow: in turn, two threads each."""

from __future__ import annotations

import statistics
from typing import Any

MODELS = (
    *("ResNet50", "MobileNetV2", "encoder", "encoder_any_batch"),
    *("fer_minixception", "nsfw_mobilenet_v2", "nsfw_inception_v3", "faceres"),
    *("blazeface_back", "centernet_coco", "efficientpose", "faceboxes", "facemesh", "facemesh_attention"),
    *("handtrack_ssd", "movenet_lightning", "mtcnn_pnet", "posenet_mnv1", "selfie_seg", "upscaler_rdn2x"),
)
"""Keras nets, classifiers, other vision models."""
BATCHED = (*MODELS[:7], "faceres")
"""Those that are timed with a batch of 8 too: the others have one picture at a time, or are not used otherwise."""
BARS = {"ResNet50": 3.0, "MobileNetV2": 4.0}
"""How many times as fast as TensorFlow INT8 has to be, with one picture."""
ENGINES = ("onnxruntime", "openvino")
CONTENDERS = ("TensorFlow", *(f"{engine} {precision}" for engine in ENGINES for precision in ("FP32", "INT8")))
PREDICTOR = "INT8 by predictor()"
"""INT8 without TensorFlow, by the engine that is the quickest so; where engines compute the whole model."""
_THREADS = 2
_SECONDS = 15.0


def measure(name: str, batch: int) -> dict[str, Any]:
    """Return median milliseconds of each contender on one batch, and how many times as fast INT8 is, round by round.

    INT8 and FP32 are compared by the engine that is the quickest with each, as graphs in a Session; INT8 besides by
    `predictor()`.
    """
    import numpy as np

    import tfgraft
    from benchmarks.precision.models import KERAS, keras_model, values, zoo_feed, zoo_model
    from benchmarks.precision.runs import in_turn, ratio, runner
    from tfgraft.direct import find_direct
    from tfgraft.load import load

    if name in KERAS:
        model, shape = keras_model(name, batch)
        loaded = load(model, input_shapes=None if name.endswith("_any_batch") else [shape])
        feed = {loaded.inputs[0].name: values(shape)}
        data: list[Any] = [values(shape, seed=i + 1) for i in range(4)]
    else:
        path, _, outputs = zoo_model(name)
        loaded, feed = load(path, outputs=outputs), zoo_feed(name)
        data = [feed]
        if batch > 1:
            feed = {key: np.repeat(value, batch, 0) for key, value in feed.items()}
    runs = {"TensorFlow": runner(loaded.graph_def, loaded, _THREADS)}
    table = tfgraft.calibrate(loaded, data)
    layers = 0
    for contender in CONTENDERS[1:]:
        engine, precision = contender.split()
        grafted = tfgraft.optimize(
            loaded,
            engine=engine,
            precision=precision,
            calibration=table if precision == "INT8" else None,
            intra_op_threads=_THREADS,
            strict=True,
        )
        layers = max(layers, grafted.report.precisions.get("INT8", 0))
        runs[contender] = runner(grafted.graph_def, loaded, _THREADS)
        if precision == "INT8" and find_direct(grafted.graph_def, loaded) is not None:
            runs[f"{contender} predictor"] = _predictor(grafted)
    times = in_turn(runs, feed, _SECONDS)
    medians = {contender: statistics.median(times[contender]) for contender in CONTENDERS}
    direct = [name for name in runs if name.endswith("predictor")]
    if direct:
        quickest = min(direct, key=lambda name: statistics.median(times[name]))
        medians[PREDICTOR] = statistics.median(times[quickest])
        medians["predictor faster than TensorFlow"] = ratio(times, "TensorFlow", quickest)
    int8, fp32 = (
        min((f"{engine} {precision}" for engine in ENGINES), key=medians.__getitem__) for precision in ("INT8", "FP32")
    )
    return {
        "batch": batch,
        "layers": layers,
        "rounds": len(times["TensorFlow"]),
        **medians,
        "faster than TensorFlow": ratio(times, "TensorFlow", int8),
        "faster than FP32": ratio(times, fp32, int8),
    }


def _predictor(grafted: Any) -> Any:
    predict, names = grafted.predictor(), [spec.name for spec in grafted.loaded.inputs]
    return lambda feed: predict(*(feed[name] for name in names))
