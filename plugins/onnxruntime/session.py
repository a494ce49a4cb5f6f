"""Making ONNX Runtime sessions out of engines, their weights given from outside the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfgraft.converters.weights import Quantization, lay_out
from tfgraft.plugins.onnxruntime.options import OnnxRuntimeOptions
from tfgraft.plugins.protocol import Array
from tfgraft.plugins.saturation import saturates

_UNWANTED = ["WeightBiasQuantization"]
"""Optimizers of ONNX Runtime that change results: this one quantizes the float kernel of a convolution whose input and
output are quantized, with one step for all channels."""
_SLOW = ["SkipLayerNormFusion"]
"""Those that make things worse on the CPU: its SkipLayerNormalization takes over four times as long as Add and
LayerNormalization do, and as the difference of two large sums the variance loses digits that these keep."""
_PRECISE = "session.x64quantprecision"
"""Whether ONNX Runtime makes uint8 of int8 weights, for kernels that do not saturate."""
WeightLayout = Sequence[Any]
"""[initializer name, index of the weight input, permutation, shape, quantization], the last three or None; see
`WeightUse`."""


def lay_out_weights(ort: Any, layouts: Sequence[WeightLayout], weights: Sequence[Array]) -> dict[str, Any]:
    """Return the OrtValues of an engine's weights by the names of the initializers that they are."""
    values = {}
    for layout in layouts:
        name, index, perm, shape, quantization = layout
        how = None if quantization is None else Quantization.of_json(quantization)
        array = lay_out(weights[index], perm, shape, how)
        # A weight that needed no new layout is still TensorFlow's own buffer, which does not live long enough.
        own = array.copy() if np.may_share_memory(array, weights[index]) else array
        values[name] = ort.OrtValue.ortvalue_from_numpy(own)
    return values


def make_session(
    ort: Any,
    payload: bytes,
    weights: Mapping[str, Any],
    options: OnnxRuntimeOptions,
    dims: Mapping[str, int] | None = None,
) -> Any:
    """Return an `InferenceSession`.

    Args:
        ort: the module onnxruntime.
        payload: the serialized model.
        weights: from `lay_out_weights`; they must live as long as the session.
        options: how it runs.
        dims: the sizes of dimensions of the inputs, by name, if only inputs of these sizes are to be run.
    """
    session_options = options.session_options(ort)
    if b"DequantizeLinear" in payload and _PRECISE not in options.session_config and saturates(ort):
        session_options.add_session_config_entry(_PRECISE, "1")
    if weights:
        session_options.add_external_initializers(list(weights), list(weights.values()))
    for name, size in (dims or {}).items():
        session_options.add_free_dimension_override_by_name(name, size)
    providers = options.usable_providers(ort)
    disabled = [*_UNWANTED, *(_SLOW if providers == ["CPUExecutionProvider"] else ())]
    return ort.InferenceSession(payload, session_options, providers=providers, disabled_optimizers=disabled)
