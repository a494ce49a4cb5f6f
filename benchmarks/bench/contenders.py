"""Who takes part, besides TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TENSORFLOW = "tensorflow"
PREDICTOR = "predictor"
"""What follows the name of a contender of tfgraft's that is called without TensorFlow, as peers are."""
PRECISIONS = ("FP32", "INT8")
TOLERANCE = 1e-3
"""A float32 result whose relative L2 error is larger is wrong, whoever computed it."""


@dataclass(frozen=True)
class Contender:
    """One way of running a model.

    Args:
        title: what it is called on the page.
        stage: the module of `benchmarks.bench.stages` that makes and checks it.
        options: of the stage.
        peer: whether it is one of those that tfgraft is measured against.
        precision: what it computes in.
    """

    title: str
    stage: str
    options: Mapping[str, Any] = field(default_factory=dict)
    peer: bool = False
    precision: str = "FP32"


CONTENDERS: Mapping[str, Contender] = {
    "auto": Contender("tfgraft auto", "graft", {"engine": "auto"}),
    "onnxruntime": Contender("tfgraft onnxruntime", "graft", {"engine": "onnxruntime"}),
    "int8": Contender("tfgraft onnxruntime INT8", "graft", {"engine": "onnxruntime"}, precision="INT8"),
    "xla": Contender("TensorFlow+XLA", "xla", peer=True),
    "tf2onnx": Contender("tf2onnx+ORT", "tf2onnx", peer=True),
    "openvino": Contender("OpenVINO", "openvino", peer=True),
    "litert": Contender("LiteRT", "litert", peer=True),
}
PEERS = tuple(name for name, contender in CONTENDERS.items() if contender.peer)
