"""Networks as bytes and back: a JSON header, then the arrays, each aligned to 64 bytes. No pickle."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from tfgraft.plugins.reference.network import Array, Layer, Network, Tensor, dtype_of

_MAGIC = b"TfGraftNet1\n"
_ALIGNMENT = 64


def to_bytes(network: Network) -> bytes:
    """Serialize a network; equal networks give equal bytes."""
    arrays: list[bytes] = []
    size = 0

    def store(array: Array) -> dict[str, Any]:
        nonlocal size
        data = np.ascontiguousarray(array).tobytes()
        entry = {"dtype": array.dtype.name, "shape": list(array.shape), "offset": size, "size": len(data)}
        data += bytes(-len(data) % _ALIGNMENT)
        arrays.append(data)
        size += len(data)
        return entry

    header = {
        "inputs": [[t.name, t.dtype, t.shape] for t in network.inputs],
        "outputs": [[t.name, t.dtype, t.shape] for t in network.outputs],
        "layers": [
            [
                layer.kind,
                layer.name,
                layer.inputs,
                layer.outputs,
                layer.attrs,
                {key: store(value) for key, value in sorted(layer.weights.items())},
            ]
            for layer in network.layers
        ],
    }
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    start = _MAGIC + struct.pack("<Q", len(text)) + text
    return b"".join([start, bytes(-len(start) % _ALIGNMENT), *arrays])


def from_bytes(data: bytes) -> Network:
    """Return the network that `to_bytes` serialized; its weights are read-only views of `data`.

    Raises:
        ValueError: `data` is something else, or cut off.
    """
    begin = len(_MAGIC) + 8
    if data[: len(_MAGIC)] != _MAGIC or len(data) < begin:
        raise ValueError("these bytes are not a serialized network")
    (length,) = struct.unpack("<Q", data[len(_MAGIC) : begin])
    header = json.loads(data[begin : begin + length])
    base = begin + length
    base += -base % _ALIGNMENT

    def fetch(entry: dict[str, Any]) -> Array:
        shape = tuple(entry["shape"])
        if base + entry["offset"] + entry["size"] > len(data):
            raise ValueError("the serialized network is cut off")
        flat = np.frombuffer(
            data, dtype_of(entry["dtype"]), int(np.prod(shape, dtype=np.int64)), base + entry["offset"]
        )
        return flat.reshape(shape)

    def tensor(entry: list[Any]) -> Tensor:
        name, dtype, shape = entry
        return Tensor(name, dtype, None if shape is None else tuple(shape))

    return Network(
        tuple(tensor(t) for t in header["inputs"]),
        tuple(tensor(t) for t in header["outputs"]),
        tuple(
            Layer(kind, name, tuple(inputs), tuple(outputs), attrs, {k: fetch(v) for k, v in weights.items()})
            for kind, name, inputs, outputs, attrs, weights in header["layers"]
        ),
    )
