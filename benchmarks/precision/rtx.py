"""The same calibrated tables for TensorRT: what is quantized, whether RTX builds it, and the reference's error."""

from __future__ import annotations

from typing import Any

MODELS = (
    *("digits", "MobileNetV2", "ResNet50", "fer_minixception", "mtcnn_pnet", "blazeface_back", "facemesh", "faceres"),
    *("nsfw_mobilenet_v2", "posenet_mnv1", "selfie_seg", "movenet_lightning", "handtrack_ssd", "faceboxes"),
)


def measure(name: str) -> dict[str, Any]:
    """Return layers, and the reference engine's error against the same quantized graph in TensorFlow."""
    import tfgraft
    from benchmarks.precision.digits import trained
    from benchmarks.precision.models import KERAS, keras_model, values, zoo_feed, zoo_model
    from tfgraft.load import load

    data: list[Any]
    if name == "digits":
        digits = trained()
        loaded, data = load(digits.model), [digits.images[:32]]
    elif name in KERAS:
        model, shape = keras_model(name, 1)
        loaded, data = load(model, input_shapes=[shape]), [values(shape)]
    else:
        path, _, outputs = zoo_model(name)
        loaded, data = load(path, outputs=outputs), [zoo_feed(name)]
    table = tfgraft.calibrate(loaded, data)
    built = tfgraft.optimize(loaded, precision="INT8", calibration=table, engine="tensorrt")
    refused = [
        d.message
        for d in built.report.diagnostics
        if d.severity in ("warning", "error") or d.code in ("engine-rejected", "build-failed", "conversion-failed")
    ]
    # Verification runs on feeds, so that it takes the data again, of which the very same table comes.
    checked = tfgraft.optimize(
        loaded, precision="INT8", calibration=data, engine="reference", verify=tfgraft.Verification(feeds=1)
    )
    verified = [check for check in checked.report.verified if not check.reason]
    kinds = _layers(checked.graph_def)
    return {
        "layers": built.report.precisions.get("INT8", 0),
        "quantize": kinds.count("quantize"),
        "dequantize": kinds.count("dequantize"),
        "engines": len(built.report.clusters),
        "same engines": len(built.report.clusters) == len(checked.report.clusters),
        "refused": refused[:3],
        "verified": len(verified),
        "error": max((check.engine_error for check in verified), default=None),
        "from FP32": max((check.precision_error or 0.0 for check in verified), default=None),
    }


def _layers(graph_def: Any) -> list[str]:
    """Return the kind of each layer of the reference engines' networks, which are those that TensorRT has built."""
    from tfgraft.plugins.reference.serialize import from_bytes
    from tfgraft.runtime import OP_NAME

    bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    engines = [node for nodes in bodies for node in nodes if node.op == OP_NAME]
    return [layer.kind for node in engines for layer in from_bytes(node.attr["payload"].s).layers]
