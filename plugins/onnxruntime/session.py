"""Making ONNX Runtime sessions out of engines, their weights given from outside the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgraft.plugins.onnxruntime.options import OnnxRuntimeOptions
from tfgraft.plugins.protocol import Array

WeightLayout = Sequence[Any]
"""[initializer name, index of the weight input, permutation or None, shape or None]; see `WeightUse`."""


def lay_out(weight: Array, layout: WeightLayout) -> Array:
    """Return a weight as the model's initializer wants it, C-contiguous."""
    _, _, perm, shape = layout
    value = weight if perm is None else weight.transpose(perm)
    value = np.ascontiguousarray(value)
    return value if shape is None else value.reshape(shape)


def make_session(
    ort: Any, payload: bytes, layouts: Sequence[WeightLayout], weights: Sequence[Array], options: OnnxRuntimeOptions
) -> tuple[Any, list[Any]]:
    """Return an `InferenceSession` and the OrtValues of its weights, which must live as long as the session."""
    session_options = options.session_options(ort)
    values = []
    for layout in layouts:
        array = lay_out(weights[layout[1]], layout)
        # A weight that needed no new layout is still TensorFlow's own buffer, which does not live long enough.
        values.append(ort.OrtValue.ortvalue_from_numpy(array.copy() if array.base is not None else array))
    if values:
        session_options.add_external_initializers([layout[0] for layout in layouts], values)
    session = ort.InferenceSession(payload, session_options, providers=options.usable_providers(ort))
    return session, values
