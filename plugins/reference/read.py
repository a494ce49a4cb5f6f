"""Reading a TensorRT `INetworkDefinition` back into plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfgraft.plugins.reference.network import DATA_TYPES, Array, Layer, Network, Tensor, dtype_of
from tfgraft.plugins.reference.schema import ATTENTION_ATTRS, ATTENTION_TENSORS, SCHEMAS


class UnreadableNetwork(Exception):
    """A network with something that TensorRT's Python API does not give back; the message names the layer."""


def read_network(trt: Any, network: Any, constants: Mapping[str, Array] | None = None) -> Network:
    """Return an `INetworkDefinition` as plain data.

    Args:
        trt: the module `tensorrt` or `tensorrt_rtx` that made it.
        network: the definition; it is not changed. Its arrays are copied.
        constants: values of weights by layer name, for those types that Python cannot read back (BF16, FP8, INT4,
            FP4); for a layer with several weights by "layer name:attribute".

    Raises:
        UnreadableNetwork: weights are of such a type and not in `constants`.
    """
    scopes = _Scopes()
    layers = [_read_layer(trt, network.get_layer(i), constants or {}, scopes) for i in range(network.num_layers)]
    return Network(
        tuple(_tensor(network.get_input(i)) for i in range(network.num_inputs)),
        tuple(_tensor(network.get_output(i)) for i in range(network.num_outputs)),
        tuple(layers),
    )


class _Scopes:
    """Unique names of loops and conditionals; those of TensorRT need not be unique.

    Python sees one object for each as long as it is held.
    """

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._held: list[Any] = []

    def name(self, scope: Any) -> str:
        if id(scope) not in self._names:
            self._held.append(scope)
            taken = set(self._names.values())
            self._names[id(scope)] = scope.name if scope.name not in taken else f"{scope.name}#{len(taken)}"
        return self._names[id(scope)]


def _tensor(tensor: Any) -> Tensor:
    try:
        shape: tuple[int, ...] | None = tuple(tensor.shape)
    except (RuntimeError, ValueError):  # a negative number of dimensions: the rank is not known
        shape = None
    return Tensor(tensor.name, DATA_TYPES[tensor.dtype.name], shape)


def _read_layer(trt: Any, layer: Any, constants: Mapping[str, Array], scopes: _Scopes) -> Layer:
    kind = trt.ILayer.type.__get__(layer).name.lower()
    inputs = [layer.get_input(i) for i in range(layer.num_inputs)]
    outputs = [layer.get_output(i) for i in range(layer.num_outputs)]
    name = layer.name
    schema = SCHEMAS.get(kind)
    attrs: dict[str, Any] = {}
    weights: dict[str, Array] = {}
    if schema is not None:
        # Python sees a plain ILayer; only the class of the layer's own type shows its attributes.
        layer.__class__ = getattr(trt, schema.cls)
        for key in schema.attrs:
            # TensorRT logs an error when it is asked for scales where there is a shape.
            if key != "scales" or (attrs["shape"] is None and len(inputs) == 1):
                attrs[key] = _attr(layer, key)
        for scope in ("loop", "conditional"):
            if hasattr(layer, scope):
                attrs[scope] = scopes.name(getattr(layer, scope))
        if hasattr(layer, "attention"):
            attrs["attention"] = _attention(layer.attention)
        for key in schema.weights:
            value = _weights(layer, name, key, constants)
            if value.size or kind == "constant":
                weights[key] = value
        if kind == "constant":
            weights = {"weights": weights["weights"].reshape(attrs["shape"])}
    return Layer(
        kind,
        name,
        tuple("" if t is None else t.name for t in inputs),
        tuple(t.name for t in outputs if t is not None),
        attrs,
        weights,
    )


def _attr(holder: Any, key: str) -> Any:
    try:
        return _plain(getattr(holder, key))
    except (AttributeError, RuntimeError):  # unset, or of a newer TensorRT
        return None


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "__members__"):
        return DATA_TYPES.get(value.name, value.name)
    return [int(v) if float(v).is_integer() else float(v) for v in value]


def _attention(attention: Any) -> dict[str, Any]:
    plain = {key: _attr(attention, key) for key in ATTENTION_ATTRS}
    for key in ATTENTION_TENSORS:
        tensor = getattr(attention, key, None)
        plain[key] = None if tensor is None else tensor.name
    return plain


def _weights(layer: Any, name: str, key: str, constants: Mapping[str, Array]) -> Array:
    for known in (f"{name}:{key}", name):
        if known in constants:
            return np.array(constants[known])
    value = getattr(layer, key)
    if isinstance(value, np.ndarray):
        return value.copy()
    if value.size == 0:
        return np.empty(0, dtype_of(DATA_TYPES[value.dtype.name]))
    raise UnreadableNetwork(
        f"layer {name!r} has {value.dtype.name} weights, which TensorRT's Python API cannot read back; "
        "pass their values in `constants`, or make them a FLOAT constant followed by a cast"
    )
