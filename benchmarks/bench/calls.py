"""Calling whole-graph models of OpenVINO and LiteRT, each by its fastest way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.zoo.built import Array, Arrays


def openvino_call(path: Path, outputs: Sequence[str], feed: Arrays, *, intra: int) -> Any:
    """Return the call of an OpenVINO model, in float32; inputs and outputs are not copied."""
    import openvino

    properties = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(intra),
    }
    compiled = openvino.Core().compile_model(path, "CPU", properties)
    ports = {name: port for port, each in enumerate(compiled.inputs) for name in each.get_names()}
    values = {ports[name]: value for name, value in feed.items() if name in ports}
    wanted = [compiled.output(name) for name in outputs]
    request = compiled.create_infer_request()

    def call() -> Sequence[Array]:
        found = request.infer(values, share_inputs=True, share_outputs=True)
        return [found[port] for port in wanted]

    return call


def litert_call(path: Path, feed: Arrays, *, intra: int) -> Any:
    """Return the call of a LiteRT model that `stages.litert` made; XNNPACK runs what it can."""
    from ai_edge_litert.interpreter import Interpreter

    order = json.loads(path.with_suffix(".order").read_text(encoding="utf-8"))
    arrays = list(feed.values())
    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=intra)
    pairs = [(each["index"], arrays[i]) for each, i in zip(interpreter.get_input_details(), order, strict=True)]
    for index, value in pairs:
        interpreter.resize_tensor_input(index, value.shape)
    interpreter.allocate_tensors()
    results = [each["index"] for each in interpreter.get_output_details()]

    def call() -> Sequence[Array]:
        for index, value in pairs:
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in results]

    return call
