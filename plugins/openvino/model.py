"""OpenVINO models out of ONNX, their weights given from outside.

A weight is an input of the ONNX model, so that the engine's payload has none of it; when the engine is loaded a
constant takes its place, before OpenVINO compiles the model, and is folded and packed like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from tfgraft.converters.weights import Quantization, lay_out
from tfgraft.plugins.openvino.options import OpenVinoOptions
from tfgraft.plugins.protocol import Array

WeightLayout = Sequence[Any]
"""[name of the model's input, index of the weight input, permutation, shape, quantization], the last three or None; see
`WeightUse`."""
DEVICE = "CPU"
_WHERE = re.compile(r"^(Exception from|Check ').*failed at .*$|^Exception from .*$")


def weights_as_inputs(model: Any, names: Iterable[str]) -> bytes:
    """Return an ONNX model, serialized, whose initializers of these names have become inputs, after its own.

    Args:
        model: an `onnx.ModelProto`; it is changed.
        names: initializers, of which the model has type and shape.
    """
    from onnx import helper

    wanted = frozenset(names)
    kept = []
    for tensor in model.graph.initializer:
        if tensor.name in wanted:
            model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
        else:
            kept.append(tensor)
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    raw: bytes = model.SerializeToString()
    return raw


def compile_model(
    openvino: Any, payload: bytes, layouts: Sequence[WeightLayout], weights: Sequence[Array], options: OpenVinoOptions
) -> Any:
    """Return the `CompiledModel` of a payload; the weights are copied.

    Args:
        openvino: the module.
        payload: what `weights_as_inputs` made.
        layouts: how each weight is laid out; see `WeightLayout`.
        weights: of the engine node.

    Raises:
        RuntimeError: OpenVINO does not take it.
    """
    core = openvino.Core()
    model = core.read_model(payload)
    parameters = {parameter.get_friendly_name(): parameter for parameter in model.get_parameters()}
    for name, index, perm, shape, quantization in layouts:
        how = None if quantization is None else Quantization.of_json(quantization)
        constant = openvino.op.Constant(lay_out(weights[index], perm, shape, how))
        constant.set_friendly_name(name)
        parameter = parameters[name]
        parameter.output(0).replace(constant.output(0))
        model.remove_parameter(parameter)
    return core.compile_model(model, DEVICE, options.properties())


def reason(error: Exception) -> str:
    """Return what an exception of OpenVINO says, on one line, without where in its source it was raised."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not _WHERE.match(line)]
    return " ".join(said or lines) or type(error).__name__
