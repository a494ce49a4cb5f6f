"""A TensorRT network as plain data: what `read_network` reads, what is serialized and what the interpreter runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

DATA_TYPES: dict[str, str] = {
    "FLOAT": "float32",
    "HALF": "float16",
    "BF16": "bfloat16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
    "UINT8": "uint8",
    "FP8": "float8_e4m3fn",
    "INT4": "int4",
    "FP4": "float4_e2m1fn",
    "E8M0": "float8_e8m0fnu",
}
"""TensorRT's data types by the names that numpy and ml_dtypes give them."""


def dtype_of(name: str) -> np.dtype[Any]:
    """Return the numpy dtype of a data type's name, as in `DATA_TYPES`' values."""
    return np.dtype(getattr(ml_dtypes, name, name))


@dataclass(frozen=True)
class Tensor:
    """An input or output of a network: its name, dtype ("float32", "bfloat16", ...) and shape, -1 where dynamic.

    `shape` is None for an output whose rank TensorRT does not tell.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Layer:
    """One layer.

    Args:
        kind: TensorRT's layer type in lower case, such as "convolution" or "loop_output".
        name: the layer's name.
        inputs: names of the input tensors; "" for an empty slot.
        outputs: names of the output tensors.
        attrs: TensorRT's attributes by their Python names; JSON-able: enumerators are their names in upper case, data
            types their numpy names, dimensions and permutations lists, masks of axes ints, and what is unset None.
        weights: flat or shaped arrays by attribute name (kernel, bias, weights, scale, shift, power); none is empty.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """A network; its layers are in the order in which they were added, which need not be topological."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    layers: tuple[Layer, ...]
