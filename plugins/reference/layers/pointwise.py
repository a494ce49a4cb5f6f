"""Layers that compute each element on its own: elementwise, unary, activation, select, scale, cast."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tfgraft.plugins.reference.layers.base import LIMITS, LayerFunction, along, is_float, wide
from tfgraft.plugins.reference.layers.erf import erf
from tfgraft.plugins.reference.network import Array, Layer, dtype_of


def _divide(a: Array, b: Array) -> Array:
    """Divide; integers truncate towards zero, and by zero give zero (TensorRT leaves that undefined)."""
    if is_float(a.dtype):
        return a / b
    safe = np.where(b == 0, 1, b)
    quotient = a // safe
    quotient += (quotient < 0) & (quotient * safe != a)
    return np.where(b == 0, np.zeros((), a.dtype), quotient)


def _power(a: Array, b: Array) -> Array:
    if is_float(a.dtype):
        return np.power(a, b)
    return np.trunc(np.power(a.astype(np.float64), b.astype(np.float64)))


BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "SUM": np.add,
    "PROD": np.multiply,
    "MAX": np.maximum,
    "MIN": np.minimum,
    "SUB": np.subtract,
    "DIV": _divide,
    "POW": _power,
    "FLOOR_DIV": lambda a, b: np.floor(a / b) if is_float(a.dtype) else np.floor_divide(a, b),
    "AND": np.logical_and,
    "OR": np.logical_or,
    "XOR": np.logical_xor,
    "EQUAL": np.equal,
    "GREATER": np.greater,
    "LESS": np.less,
}
_COMPARISONS = frozenset({"EQUAL", "GREATER", "LESS", "AND", "OR", "XOR"})

UNARY: dict[str, Callable[[Array], Array]] = {
    "EXP": np.exp,
    "LOG": np.log,
    "SQRT": np.sqrt,
    "RECIP": lambda x: 1 / x,
    "ABS": np.abs,
    "NEG": np.negative,
    "SIN": np.sin,
    "COS": np.cos,
    "TAN": np.tan,
    "SINH": np.sinh,
    "COSH": np.cosh,
    "ASIN": np.arcsin,
    "ACOS": np.arccos,
    "ATAN": np.arctan,
    "ASINH": np.arcsinh,
    "ACOSH": np.arccosh,
    "ATANH": np.arctanh,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "ERF": erf,
    "NOT": np.logical_not,
    "SIGN": np.sign,
    "ROUND": np.rint,
    "ISINF": np.isinf,
    "ISNAN": np.isnan,
}
_PREDICATES = frozenset({"NOT", "ISINF", "ISNAN"})

ACTIVATIONS: dict[str, Callable[[Array, float, float], Array]] = {
    "RELU": lambda x, a, b: np.maximum(x, 0),
    "SIGMOID": lambda x, a, b: np.where(x < 0, np.exp(x), 1) / (1 + np.exp(-np.abs(x))),
    "TANH": lambda x, a, b: np.tanh(x),
    "LEAKY_RELU": lambda x, a, b: np.where(x >= 0, x, a * x),
    "ELU": lambda x, a, b: np.where(x >= 0, x, a * np.expm1(x)),
    "SELU": lambda x, a, b: b * np.where(x > 0, x, a * np.expm1(x)),
    "SOFTSIGN": lambda x, a, b: x / (1 + np.abs(x)),
    "SOFTPLUS": lambda x, a, b: a * np.logaddexp(0, b * x),
    "CLIP": lambda x, a, b: np.maximum(a, np.minimum(b, x)),
    "HARD_SIGMOID": lambda x, a, b: np.maximum(0, np.minimum(1, a * x + b)),
    "SCALED_TANH": lambda x, a, b: a * np.tanh(b * x),
    "THRESHOLDED_RELU": lambda x, a, b: np.where(x > a, x, 0),
    "GELU_ERF": lambda x, a, b: 0.5 * x * (1 + erf(np.sqrt(0.5) * x)),
    "GELU_TANH": lambda x, a, b: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (0.044715 * x**3 + x))),
}


def elementwise(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Compute one of TensorRT's binary operations; the ranks are equal and dimensions of size 1 broadcast."""
    op = layer.attrs["op"]
    a, b = inputs
    value = BINARY[op](wide(a), wide(b))
    return [value if op in _COMPARISONS else value.astype(a.dtype, copy=False)]


def unary(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Compute one of TensorRT's unary operations."""
    op = layer.attrs["op"]
    value = UNARY[op](wide(inputs[0]))
    return [value if op in _PREDICATES else value.astype(inputs[0].dtype, copy=False)]


def activation(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Compute an activation with the layer's alpha and beta."""
    x = wide(inputs[0])
    value = ACTIVATIONS[layer.attrs["type"]](x, layer.attrs["alpha"], layer.attrs["beta"])
    return [value.astype(inputs[0].dtype, copy=False)]


def parametric_relu(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Compute x where x >= 0, else slope * x; the slope broadcasts."""
    x, slope = wide(inputs[0]), wide(inputs[1])
    return [np.where(x >= 0, x, slope * x).astype(inputs[0].dtype, copy=False)]


def select(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Choose from the second input where the first holds, else from the third; all three broadcast."""
    return [np.where(*inputs)]


def scale(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Compute (x * scale + shift) ** power, each coefficient for the tensor, for a channel or for an element."""
    x = inputs[0]
    value = wide(x)
    for key, operation in (("scale", np.multiply), ("shift", np.add), ("power", np.power)):
        if key in layer.weights:
            coefficient = wide(layer.weights[key])
            if layer.attrs["mode"] == "CHANNEL":
                coefficient = along(coefficient, layer.attrs["channel_axis"], x.ndim)
            elif layer.attrs["mode"] == "ELEMENTWISE":
                coefficient = coefficient.reshape(x.shape[-3:] if coefficient.size != x.size else x.shape)
            value = operation(value, coefficient)
    return [value.astype(x.dtype, copy=False)]


def convert(value: Array, dtype: str) -> Array:
    """Return an array as another type: floats to integers truncate, narrow floats round and keep their limits."""
    target = dtype_of(dtype)
    if value.dtype == target:
        return value
    if is_float(value.dtype) and target.kind in "iu":
        return wide(value).astype(np.int64).astype(target)
    if dtype in LIMITS and is_float(target):
        limit = LIMITS[dtype]
        return np.clip(wide(value).astype(np.float32), -limit, limit).astype(target)
    return wide(value).astype(target)


def cast(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Convert to the layer's type."""
    return [convert(inputs[0], layer.attrs["to_type"])]


def identity(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Return the first input."""
    return [inputs[0]]


def constant(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Return the layer's weights."""
    return [layer.weights["weights"]]


TABLE: dict[str, LayerFunction] = {
    "elementwise": elementwise,
    "unary": unary,
    "activation": activation,
    "parametric_relu": parametric_relu,
    "select": select,
    "scale": scale,
    "cast": cast,
    "identity": identity,
    "constant": constant,
    "attention_output": identity,
}
