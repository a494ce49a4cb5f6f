"""TensorFlow.js graph models (`model.json` and binary shards) as GraphDefs, and the weights of its layers models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from benchmarks.zoo.built import Array, Built, Tensor
from benchmarks.zoo.unfuse import unfuse

# The producer version that TensorFlow 2.x releases of the converter write; some models lack it, and a graph without
# one is read as if from before 1.0.
PRODUCER = 440


@dataclass
class _Reader:
    """A cursor over the concatenated shards."""

    data: bytes
    offset: int = 0

    def numbers(self, dtype: Any, count: int) -> Array:
        values = np.frombuffer(self.data, dtype, count, self.offset)
        self.offset += values.nbytes
        return values

    def string(self) -> bytes:
        length = int(self.numbers("<u4", 1)[0])
        self.offset += length
        return self.data[self.offset - length : self.offset]


def read_weights(manifest: Sequence[Mapping[str, Any]], data: bytes) -> dict[str, Array]:
    """Decode the shards of all groups (concatenated) to arrays by name.

    Quantized weights become what they stand for: float16 is widened, integers are scaled and shifted.

    Raises:
        ValueError: the data is longer than the manifest says.
    """
    reader = _Reader(data)
    weights: dict[str, Array] = {}
    for entry in (weight for group in manifest for weight in group["weights"]):
        shape = tuple(int(dim) for dim in entry["shape"])
        weights[entry["name"]] = _read_weight(reader, entry, int(np.prod(shape))).reshape(shape)
    if reader.offset != len(data):
        raise ValueError(f"the weights take {reader.offset} bytes by the manifest, the shards have {len(data)}")
    return weights


def _read_weight(reader: _Reader, entry: Mapping[str, Any], count: int) -> Array:
    if entry["dtype"] == "string":
        return np.array([reader.string() for _ in range(count)], dtype=object)
    quantization = entry.get("quantization")
    if quantization is None:
        return reader.numbers(np.dtype(entry["dtype"]), count)
    values = reader.numbers(np.dtype(quantization["dtype"]), count).astype(np.float32)
    if quantization["dtype"] != "float16":
        values = values * np.float32(quantization["scale"]) + np.float32(quantization["min"])
        if entry["dtype"] == "int32":
            values = np.round(values)
    return values.astype(entry["dtype"])


def graph_model(model: Mapping[str, Any], data: bytes) -> Built:
    """Turn a graph model (the content of model.json and the bytes of its shards) into a graph of plain ops.

    Raises:
        ValueError: the weights and the manifest disagree, or a fused op is of an unknown kind.
    """
    topology = {
        key: model["modelTopology"][key] for key in ("node", "library", "versions") if key in model["modelTopology"]
    }
    graph_def = tf.compat.v1.GraphDef()
    json_format.ParseDict(topology, graph_def, ignore_unknown_fields=True)
    if not graph_def.versions.producer:
        graph_def.versions.producer = PRODUCER
    weights = read_weights(model["weightsManifest"], data)
    for nodes in [graph_def.node, *(function.node_def for function in graph_def.library.function)]:
        _fill_constants(nodes, weights)
        plain = unfuse(nodes)
        del nodes[:]
        nodes.extend(plain)
    signature = model.get("signature") or (model.get("userDefinedMetadata") or {}).get("signature") or {}
    inputs, outputs = _interface(graph_def, signature)
    return Built(graph_def, inputs, outputs)


def load_graph_model(path: Path) -> Built:
    """Read a graph model from its model.json, with the shards beside it."""
    model = json.loads(path.read_text(encoding="utf-8"))
    shards = [path.parent / name for group in model["weightsManifest"] for name in group["paths"]]
    return graph_model(model, b"".join(shard.read_bytes() for shard in shards))


def _fill_constants(nodes: Any, weights: Mapping[str, Array]) -> None:
    """Put the weights into the Const nodes that bear their names; the converter leaves those without a value."""
    for node in nodes:
        if node.op == "Const" and node.name in weights:
            dtype = tf.as_dtype(node.attr["dtype"].type)
            value = weights[node.name].astype(dtype.as_numpy_dtype)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype=dtype, shape=value.shape))


def _interface(graph_def: Any, signature: Mapping[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
    """Return inputs and outputs: the signature's, else the placeholders and what nothing reads."""
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    if signature.get("inputs") and signature.get("outputs"):
        inputs, outputs = (
            [info.get("name", key) for key, info in signature[side].items()] for side in ("inputs", "outputs")
        )
    else:
        operations = graph.get_operations()
        inputs = [operation.name for operation in operations if operation.type == "Placeholder"]
        outputs = [
            operation.name
            for operation in operations
            if operation.type not in ("Const", "Placeholder")
            and operation.outputs
            and not any(tensor.consumers() for tensor in operation.outputs)
        ]
    return ([_describe(graph, name) for name in inputs], [_describe(graph, name) for name in outputs])


def _describe(graph: tf.Graph, name: str) -> Tensor:
    return Tensor.of(graph.get_tensor_by_name(name if ":" in name else f"{name}:0"))
