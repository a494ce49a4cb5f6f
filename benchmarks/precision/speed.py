"""INT8 and FP32 through ONNX Runtime inside TensorFlow, against TensorFlow: milliseconds, in turn, two threads."""

from __future__ import annotations

from typing import Any

MODELS = (
    *("ResNet50", "MobileNetV2", "encoder", "fer_minixception", "nsfw_mobilenet_v2", "nsfw_inception_v3", "faceres"),
    *("blazeface_back", "centernet_coco", "efficientpose", "faceboxes", "facemesh", "facemesh_attention"),
    *("handtrack_ssd", "movenet_lightning", "mtcnn_pnet", "posenet_mnv1", "selfie_seg", "upscaler_rdn2x"),
)
BATCHED = ("ResNet50", "MobileNetV2", "encoder", "nsfw_mobilenet_v2", "nsfw_inception_v3")
"""Those that are timed with a batch of 8 too."""
_THREADS = 2


def measure(name: str, batch: int = 1, seconds: float = 15) -> dict[str, Any]:
    """Return median milliseconds of TensorFlow, FP32 and INT8 on one batch."""
    import numpy as np

    import tfgraft
    from benchmarks.precision.models import KERAS, keras_model, values, zoo_feed, zoo_model
    from benchmarks.precision.runs import in_turn, runner
    from tfgraft.load import load

    if name in KERAS:
        model, shape = keras_model(name, batch)
        loaded = load(model, input_shapes=[shape])
        feed = {loaded.inputs[0].name: values(shape)}
        data: list[Any] = [values(shape, seed=i + 1) for i in range(4)]
    else:
        path, _, outputs = zoo_model(name)
        loaded, feed = load(path, outputs=outputs), zoo_feed(name)
        data = [feed]
        if batch > 1:
            feed = {key: np.repeat(value, batch, 0) for key, value in feed.items()}
    runs = {"tensorflow": runner(loaded.graph_def, loaded, _THREADS)}
    for precision in ("FP32", "INT8"):
        calibration = data if precision == "INT8" else None
        grafted = tfgraft.optimize(
            loaded, precision=precision, calibration=calibration, intra_op_threads=_THREADS, strict=True
        )
        runs[precision] = runner(grafted.graph_def, loaded, _THREADS)
    return {**in_turn(runs, feed, seconds), "batch": batch, "layers": grafted.report.precisions.get("INT8", 0)}
