"""Matrix products: matrix_multiply and einsum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfgraft.plugins.reference.layers.base import LayerFunction, wide
from tfgraft.plugins.reference.network import Array, Layer


def matrix_multiply(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Multiply stacks of matrices or vectors, each transposed on request; leading dimensions broadcast."""
    a, b = (wide(value) for value in inputs)
    op_a, op_b = layer.attrs["op0"], layer.attrs["op1"]
    a = a.swapaxes(-1, -2) if op_a == "TRANSPOSE" else a[..., None, :] if op_a == "VECTOR" else a
    b = b.swapaxes(-1, -2) if op_b == "TRANSPOSE" else b[..., None] if op_b == "VECTOR" else b
    value = np.matmul(a, b)
    value = value[..., 0] if op_b == "VECTOR" else value
    if op_a == "VECTOR":
        value = value[..., 0] if op_b == "VECTOR" else value[..., 0, :]
    return [value.astype(inputs[0].dtype, copy=False)]


def einsum(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Compute a sum of products by Einstein's summation convention."""
    value = np.einsum(layer.attrs["equation"], *(wide(v) for v in inputs), optimize=True)
    return [np.asarray(value).astype(inputs[0].dtype, copy=False)]


TABLE: dict[str, LayerFunction] = {"matrix_multiply": matrix_multiply, "einsum": einsum}
